import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { diskBytes } from './disk.ts'
import type { LoadTotals } from './load/tally.ts'
import type { BenchServer, LedgerFigures } from './server.ts'

/** What the server showed while a load ran. */
export interface Observation {
  readonly rssBytes: number
  readonly anonymousBytes: number
  /** Over the whole time, beyond the 10 ms at which the delay is sampled; NaN where it is not told. */
  readonly loopDelayP99Ms: number
  /** Cores. */
  readonly serverCpu: number
  /** Cores that neither the server nor the bench used: what else ran on this machine. */
  readonly otherCpu: number
  /** Largest size of the log on disk: what is not in blocks yet. */
  readonly logBytes: number
}

export interface Watch {
  /** Ends the observation; `totals` is what the generator says it sent. */
  end(totals: readonly LoadTotals[]): Promise<{ observation: Observation; problems: string[] }>
}

interface Sample {
  readonly seconds: number
  /** Points acknowledged and not yet taken by the store. */
  readonly lag: number
  /** The log on disk. */
  readonly logBytes: number
}

const SAMPLE_MS = 500
const LOOP_RESOLUTION_MS = 10
const DRAIN_SECONDS = 5
const LONG_RUN_SECONDS = 30
const CHANCE_BYTES = 256e6
const LAG = 'log_lag_points{group="writer"}'

/**
 * Watches a server from just before a load until its backlog is drained, and judges whether the
 * run counts: points acknowledged but lost, refused or piling up make it void.
 */
export async function watch(server: BenchServer): Promise<Watch> {
  // The first scrape empties the histogram of the loop's delay, so the last one covers this run.
  await server.metrics()
  const before = await server.ledger()
  const began = performance.now()
  const cpuBefore = server.cpuSeconds()
  const machineBefore = busySeconds()
  const samples: Sample[] = []
  let [rssBytes, anonymousBytes] = [0, 0]
  let ended = false

  const sampling = (async () => {
    while (!ended) {
      const memory = server.memory()
      rssBytes = Math.max(rssBytes, memory.rssBytes)
      anonymousBytes = Math.max(anonymousBytes, memory.anonymousBytes)
      const ledger = await server.ledger()
      const lag = ledger.in_flight_at.writer
      const logBytes = diskBytes(join(server.dataFolder, 'log'))
      samples.push({ seconds: (performance.now() - began) / 1000, lag, logBytes })
      await sleep(SAMPLE_MS)
    }
  })()
  // Awaited at the end; until then a failure is not unhandled.
  sampling.catch(() => {})

  return {
    async end(totals) {
      ended = true
      const seconds = (performance.now() - began) / 1000
      const serverCpu = (server.cpuSeconds() - cpuBefore) / seconds
      const ours = totals.reduce((sum, total) => sum + total.overall.cpu * total.overall.seconds, 0)
      const otherCpu = Math.max(0, (busySeconds() - machineBefore - ours) / seconds - serverCpu)
      await sampling
      const metrics = await server.metrics()
      const loopDelayP99Ms =
        (metrics.get('nodejs_eventloop_lag_p99_seconds') ?? NaN) * 1000 - LOOP_RESOLUTION_MS
      const drained = await drain(server)
      const after = await server.ledger()
      const logBytes = Math.max(0, ...samples.map(sample => sample.logBytes))
      const problems = [
        ...judgeLedger(before, after, totals),
        ...judgeLag(samples, totals),
        ...(drained ? [] : [`the backlog was not drained ${DRAIN_SECONDS} s after the end`]),
      ]
      const observation = {
        rssBytes,
        anonymousBytes,
        loopDelayP99Ms,
        serverCpu,
        otherCpu,
        logBytes,
      }
      return { observation, problems }
    },
  }
}

/** CPU seconds of the whole machine since it was started, stolen ones too. */
function busySeconds(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq + steal) / 100
}

async function drain(server: BenchServer): Promise<boolean> {
  const until = performance.now() + DRAIN_SECONDS * 1000
  while (performance.now() < until) {
    const metrics = await server.metrics()
    const ledger = await server.ledger()
    const waiting = ledger.in_flight_at.log + ledger.in_flight_at.writer
    if ((metrics.get(LAG) ?? 0) === 0 && waiting === 0) return true
    await sleep(100)
  }
  return false
}

/** Everything acknowledged has to be there, nothing refused, and the ledger has to add up. */
export function judgeLedger(
  before: LedgerFigures,
  after: LedgerFigures,
  totals: readonly LoadTotals[],
): string[] {
  const problems: string[] = []
  let [acknowledged, unanswered, failures] = [0, 0, 0]
  for (const total of totals) {
    acknowledged += total.acknowledgedPoints
    unanswered += total.unansweredPoints
    failures += total.failures
  }
  if (failures > 0) {
    const first = totals.find(total => total.firstFailure !== undefined)?.firstFailure
    problems.push(`${failures} requests failed (${first})`)
  }
  const held = (ledger: LedgerFigures): number =>
    ledger.stored + ledger.duplicate + ledger.in_flight
  const kept = held(after) - held(before)
  if (kept < acknowledged || kept > acknowledged + unanswered) {
    problems.push(`${acknowledged} points were acknowledged, ${kept} are held`)
  }
  const refused = after.rejected + after.dead_lettered - before.rejected - before.dead_lettered
  if (refused > 0) problems.push(`${refused} points were refused`)
  const sum = held(after) + after.rejected + after.dead_lettered
  if (sum !== after.received) problems.push(`the ledger is out by ${after.received - sum} points`)
  return problems
}

/**
 * The backlog must not grow by more than 1 % of what comes in. In a short run a tenth of a second's
 * points up or down are chance, not growth.
 */
export function judgeLag(samples: readonly Sample[], totals: readonly LoadTotals[]): string[] {
  if (samples.length < 4) return []
  const seconds = samples.at(-1)!.seconds - samples[0].seconds
  let rate = 0
  for (const { overall } of totals) rate += overall.points / overall.seconds
  if (!(rate > 0)) return []
  const problems: string[] = []
  const growth = slope(samples)
  if (growth > 0.01 * rate && growth * seconds > 0.1 * rate) {
    problems.push(
      `the backlog grew by ${Math.round(growth)} points/s (${((100 * growth) / rate).toFixed(1)} % of the rate)`,
    )
  }
  if (seconds < LONG_RUN_SECONDS) return problems
  const half = samples.length >> 1
  const peak = (part: readonly Sample[]): number => Math.max(...part.map(sample => sample.logBytes))
  const [first, second] = [peak(samples.slice(0, half)), peak(samples.slice(half))]
  // The log grows until the head is flushed, and is cut then; its peaks may not climb.
  if (second > 1.5 * first && second - first > CHANCE_BYTES) {
    const [from, to] = [first, second].map(bytes => Math.round(bytes / 1e6))
    problems.push(`the log climbed from ${from} to ${to} MB: the store fell behind`)
  }
  return problems
}

/** Points a second, by least squares. */
function slope(samples: readonly Sample[]): number {
  const n = samples.length
  let [meanX, meanY] = [0, 0]
  for (const { seconds, lag } of samples) {
    meanX += seconds / n
    meanY += lag / n
  }
  let [xy, xx] = [0, 0]
  for (const { seconds, lag } of samples) {
    xy += (seconds - meanX) * (lag - meanY)
    xx += (seconds - meanX) ** 2
  }
  return xx === 0 ? 0 : xy / xx
}
