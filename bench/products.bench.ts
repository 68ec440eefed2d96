/**
 * What the checks of products cost: the gate alone (decode, check, batch, frame; the log keeps
 * nothing), JSON batches of 250 messages of 4 metrics, and frames of 10 000 points. The cases take
 * turns within one run, so that their ratios hold on a busy machine. Run with
 * `node bench/products.bench.ts [rounds]`.
 */
import { parseArgs } from 'node:util'
import { decodeTelemetry } from '../src/ingest/dialects/native.ts'
import { IngestGate } from '../src/ingest/gate.ts'
import { Ledger } from '../src/ingest/ledger.ts'
import type { Batch } from '../src/model/batch.ts'
import { encodeFrame } from '../src/model/frame.ts'
import { SeriesTable } from '../src/model/series-table.ts'
import { ValueRules } from '../src/model/value-rules.ts'
import { systemClock } from '../src/ports/clock.ts'
import type { Log } from '../src/ports/log.ts'
import { openAccess } from '../src/model/access.ts'

const SENDER = openAccess('default')

const DEVICES = 4000
const MESSAGES = 250
const METRICS = ['temperature', 'humidity', 'pressure', 'battery']
const FRAME_POINTS = 10_000
const POINTS_A_ROUND = 400_000

const { positionals } = parseArgs({ allowPositionals: true })
const rounds = Number(positionals[0] ?? 15)

/** How many of the values are outside of what is declared; undefined: nothing is declared. */
interface Case {
  readonly name: string
  readonly outside: number
  readonly rules?: 'flag' | 'refuse'
}

const CASES: readonly Case[] = [
  { name: 'no product declares metrics', outside: 0 },
  { name: 'declared, all values good', outside: 0, rules: 'refuse' },
  { name: 'declared, 1 % flagged', outside: 0.01, rules: 'flag' },
  { name: 'declared, 1 % refused', outside: 0.01, rules: 'refuse' },
]

/** It does with each batch what every consumer begins with. */
function logOf(table: SeriesTable): Log {
  const append: Log['append'] = batches => {
    for (const { batch } of batches) table.resolve(batch)
    return Promise.resolve()
  }
  return { append } as Partial<Log> as Log
}

function gateOf(rules: Case['rules']): IngestGate {
  const table = new SeriesTable()
  const log = logOf(table)
  const places = new Map<string, number>()
  const held = new ValueRules(table, (_device, metric) => places.get(metric) ?? -1)
  for (const metric of rules === undefined ? [] : METRICS) {
    const rule = { tenant: 'default', product: 'p', unit: undefined, type: 'number' } as const
    places.set(metric, held.add({ ...rule, min: 0, max: 100, refuse: rules === 'refuse' }))
  }
  const limits = {
    ...{ maxPointsPerRequest: 1e6, maxDepth: 8, maxTextBytes: 65_536, maxFutureMs: 1e12 },
    ...{ maxSeries: 1e6, maxPendingBytes: 1 << 30 },
  }
  const devices = { admits: () => true, admitsNew: () => true }
  const ledger = new Ledger(0)
  return new IngestGate({ log, table, ledger, clock: systemClock, limits, devices, rules: held })
}

const valueOf = (outside: number, i: number): number =>
  outside > 0 && i % Math.round(1 / outside) === 0 ? 150.25 : 20 + (i % 5000) / 100

function jsonBodies(outside: number): Buffer[] {
  let value = 0
  return Array.from({ length: DEVICES / MESSAGES }, (_body, b) => {
    const messages = Array.from({ length: MESSAGES }, (_message, m) => {
      const data = Object.fromEntries(METRICS.map(name => [name, valueOf(outside, value++)]))
      return { device_id: `dev-${b * MESSAGES + m}`, timestamp: 1_763_000_000_000 + m, data }
    })
    return Buffer.from(JSON.stringify(messages))
  })
}

function frameOf(outside: number): Uint8Array {
  const series = 1000
  const batch: Batch = {
    tenant: 'default',
    devices: Array.from({ length: series / METRICS.length }, (_, d) => `dev-${d}`),
    metrics: METRICS,
    seriesDevice: Uint32Array.from({ length: series }, (_, s) => Math.floor(s / METRICS.length)),
    seriesMetric: Uint32Array.from({ length: series }, (_, s) => s % METRICS.length),
    seriesIndex: Uint32Array.from({ length: FRAME_POINTS }, (_, i) => i % series),
    timestamps: Float64Array.from({ length: FRAME_POINTS }, (_, i) => 1_763_000_000e6 + i),
    values: Float64Array.from({ length: FRAME_POINTS }, (_, i) => valueOf(outside, i)),
  }
  return encodeFrame(batch)
}

type Round = () => Promise<unknown>

function jsonRound({ outside, rules }: Case): Round {
  const gate = gateOf(rules)
  const bodies = jsonBodies(outside)
  const requests = POINTS_A_ROUND / (MESSAGES * METRICS.length)
  return async () => {
    for (let i = 0; i < requests; i++) {
      const body = bodies[i % bodies.length]
      await gate.ingest(SENDER, 'http', sink => decodeTelemetry(body, sink))
    }
  }
}

function frameRound({ outside, rules }: Case): Round {
  const gate = gateOf(rules)
  const frame = frameOf(outside)
  return async () => {
    for (let i = 0; i < POINTS_A_ROUND / FRAME_POINTS; i++) {
      await gate.ingestFrame(SENDER, 'http', frame)
    }
  }
}

async function compare(what: string, runs: readonly Round[]): Promise<void> {
  const seconds = runs.map((): number[] => [])
  for (const run of runs) await run()
  for (let round = 0; round < rounds; round++) {
    for (const [i, run] of runs.entries()) {
      const begun = performance.now()
      await run()
      seconds[i].push((performance.now() - begun) / 1000)
    }
  }
  const median = (some: readonly number[]): number =>
    some.toSorted((a, b) => a - b)[some.length >> 1]
  const [first] = seconds
  for (const [i, { name }] of CASES.entries()) {
    const rate = (POINTS_A_ROUND / median(seconds[i]) / 1e6).toFixed(2)
    const ratio = median(seconds[i].map((time, round) => first[round] / time))
    console.log(`${what.padEnd(14)} ${name.padEnd(30)} ${rate} M points/s  × ${ratio.toFixed(2)}`)
  }
}

await compare('JSON batches', CASES.map(jsonRound))
await compare('binary frames', CASES.map(frameRound))
