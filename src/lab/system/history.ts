import { setTimeout as sleep } from 'node:timers/promises'
import { encodeFrame } from '../../model/frame.ts'
import type { Workload } from '../workloads/workload.ts'
import type { HttpClient } from './http-client.ts'
import { backlogOf, readLedger, storedOf, type Ledger } from './ledger.ts'
import { seededRandom } from './seeded-random.ts'

/** The last point of a series is so much older than the first of the load, at least. */
const BEFORE_NOW_MS = 2000
const MAX_POINTS = 50_000
/** Requests at once, after the first, which makes the devices known. */
const MAX_IN_FLIGHT = 2
const POLL_MS = 20
const STORED_WITHIN_MS = 120_000

/** How many points `writeHistory` writes. */
export function historyPoints({ devices, metrics, history }: Workload): number {
  return devices * Object.keys(metrics).length * history.points
}

/** As the workload names it. */
export function deviceName({ devicePrefix }: Workload, place: number): string {
  return `${devicePrefix}${String(place).padStart(5, '0')}`
}

/**
 * Writes what the workload wants to be there, in the order of time as a fleet would have, and waits
 * until it is stored. Values and times of day are drawn from the seed; the last ones are of now.
 *
 * @throws Error when it was refused, or not all of it is stored.
 */
export async function writeHistory(
  client: HttpClient,
  workload: Workload,
  draw: Draw,
): Promise<void> {
  const total = historyPoints(workload)
  if (total === 0) return
  const before = settledOf(await readLedger(client))
  const frames = historyFrames(workload, draw)
  const post = async (frame: Uint8Array): Promise<void> => {
    const request = { body: frame, timeoutMs: STORED_WITHIN_MS }
    const { status, text } = await client.send('POST', '/api/v1/telemetry/binary', request)
    if (status !== 200)
      throw new Error(`the history was refused (${status}): ${text.slice(0, 500)}`)
  }
  const first = frames.next()
  if (first.done !== true) await post(first.value)
  const worker = async (): Promise<void> => {
    for (const frame of frames) await post(frame)
  }
  await Promise.all(Array.from({ length: MAX_IN_FLIGHT }, worker))
  await waitUntilStored(client, { before, total })
}

interface ExpectedPoints {
  readonly before: number
  readonly total: number
}

/** Others may write to a system that runs already. */
async function waitUntilStored(
  client: HttpClient,
  { before, total }: ExpectedPoints,
): Promise<void> {
  const deadlineMs = performance.now() + STORED_WITHIN_MS
  for (;;) {
    const ledger = await readLedger(client)
    const stored = settledOf(ledger) - before
    if (stored >= total && backlogOf(ledger) === 0) return
    if (performance.now() > deadlineMs) {
      throw new Error(
        `of ${total} points of history ${stored} are stored: ${JSON.stringify(ledger)}`,
      )
    }
    await sleep(POLL_MS)
  }
}

/** A point that was there already is there too. */
const settledOf = (ledger: Ledger): number => storedOf(ledger) + ledger.duplicate

interface Draw {
  readonly seed: number
  /** Its part of a millisecond is that of every point. */
  readonly nowMs: number
}

/** Frames of the binary route (docs/formats/frame.md), each of all series at some times. */
export function* historyFrames(workload: Workload, { seed, nowMs }: Draw): Generator<Uint8Array> {
  const { devices, history } = workload
  const random = seededRandom(seed)
  const metrics = Object.entries(workload.metrics)
  const { intervalMs, points } = history
  const lastMicros = Math.round((nowMs - BEFORE_NOW_MS) * 1000)
  // Devices do not all measure in the same millisecond.
  const offsets = Array.from({ length: devices }, () => Math.floor(random() * intervalMs))
  const perTime = metrics.length
  const devicesAtOnce = Math.max(1, Math.min(devices, Math.floor(MAX_POINTS / perTime)))
  const timesAtOnce = Math.max(1, Math.floor(MAX_POINTS / (perTime * devicesAtOnce)))
  for (let from = 0; from < points; from += timesAtOnce) {
    const times = Math.min(timesAtOnce, points - from)
    for (let first = 0; first < devices; first += devicesAtOnce) {
      const chosen = Math.min(devicesAtOnce, devices - first)
      const series = chosen * perTime
      const timestamps = new Float64Array(series * times)
      const values = new Float64Array(series * times)
      const seriesIndex = new Uint32Array(series * times)
      let at = 0
      for (let time = from; time < from + times; time++) {
        for (let device = 0; device < chosen; device++) {
          const beforeMs = (points - 1 - time) * intervalMs + offsets[first + device]
          for (let metric = 0; metric < perTime; metric++) {
            const { min, max, decimals } = metrics[metric][1]
            timestamps[at] = lastMicros - beforeMs * 1000
            values[at] = rounded(min + random() * (max - min), decimals)
            seriesIndex[at++] = device * perTime + metric
          }
        }
      }
      const names = Array.from({ length: chosen }, (_, i) => deviceName(workload, first + i))
      yield encodeFrame({
        ...{ tenant: '', devices: names, metrics: metrics.map(([name]) => name) },
        seriesDevice: Uint32Array.from({ length: series }, (_, i) => Math.floor(i / perTime)),
        seriesMetric: Uint32Array.from({ length: series }, (_, i) => i % perTime),
        ...{ seriesIndex, timestamps, values },
      })
    }
  }
}

function rounded(value: number, decimals: number): number {
  const scale = 10 ** decimals
  return Math.round(value * scale) / scale
}
