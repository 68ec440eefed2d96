import type { Batch } from '../model/batch.ts'
import { deviceIdProblem, nameProblem } from '../model/names.ts'
import type { Rejection } from '../model/rejection.ts'
import type { SeriesTable } from '../model/series-table.ts'
import { MAX_TIME_US } from '../model/time.ts'
import type { DeviceRates } from './device-rates.ts'
import type { DevicePolicy, IngestLimits } from './limits.ts'
import { seriesRefusal } from './series-room.ts'

export interface FrameCheckContext {
  readonly limits: IngestLimits
  readonly table: SeriesTable
  readonly devices: DevicePolicy
  readonly nowMs: number
  /** The one device that the sender may write; undefined: any. */
  readonly only: string | undefined
  /** Refuses devices that have sent too much. */
  readonly rates: DeviceRates | undefined
}

/**
 * What is wrong with a frame from outside: the first problem of names, of times and of values,
 * with the point's place as index. Empty when the frame may go to the log as it is. One pass over
 * the columns.
 */
export function checkFrame(batch: Batch, context: FrameCheckContext): Rejection[] {
  const points = batch.timestamps.length
  const problem = frameProblem(batch, context)
  return problem === undefined ? [] : [{ ...problem, points: Math.max(1, points) }]
}

function frameProblem(batch: Batch, context: FrameCheckContext): Problem | undefined {
  const { maxPointsPerRequest } = context.limits
  if (batch.timestamps.length > maxPointsPerRequest) {
    const detail = `has more than ${maxPointsPerRequest} points (ingest.maxPointsPerRequest)`
    return { index: 0, field: '', detail, reason: 'limit' }
  }
  return checkNames(batch, context) ?? checkPoints(batch, context) ?? checkTexts(batch, context)
}

function checkPoints(batch: Batch, { limits, nowMs }: FrameCheckContext): Problem | undefined {
  const { timestamps, values, texts } = batch
  const latestUs = Math.min(MAX_TIME_US, (nowMs + limits.maxFutureMs) * 1000)
  for (let i = 0; i < timestamps.length; i++) {
    const time = timestamps[i]
    if (!(time >= 0 && time <= latestUs && Math.floor(time) === time)) {
      return timeProblem(i, time > latestUs)
    }
    const value = values[i]
    if (value - value === 0 && texts === undefined) continue
    const isText = texts?.[i] !== undefined
    if (isText !== Number.isNaN(value) || Math.abs(value) === Infinity) {
      const detail = isText ? 'must be NaN where the point is text' : 'is not finite'
      return { index: i, field: 'values', detail, reason: 'invalid_value' }
    }
  }
  return undefined
}

function timeProblem(index: number, isFuture: boolean): Problem {
  const field = 'timestamps'
  if (isFuture) {
    const detail = 'is too far ahead of the clock (ingest.maxFutureMs)'
    return { index, field, detail, reason: 'future_time' }
  }
  const detail = 'is not an integer of microseconds since 1970'
  return { index, field, detail, reason: 'invalid_time' }
}

function checkTexts({ texts }: Batch, { limits }: FrameCheckContext): Problem | undefined {
  if (texts === undefined) return undefined
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]
    if (text !== undefined && Buffer.byteLength(text) > limits.maxTextBytes) {
      const detail = `is longer than ${limits.maxTextBytes} bytes (ingest.maxTextBytes)`
      return { index: i, field: 'texts', detail, reason: 'too_long' }
    }
  }
  return undefined
}

type Problem = Omit<Rejection, 'points'>

/** Dictionaries that are sound in themselves, by their `seriesDevice`; a gateway sends the same again. */
const sound = new WeakSet<Uint32Array>()

function checkNames(batch: Batch, context: FrameCheckContext): Problem | undefined {
  const { table, devices, limits, only } = context
  for (let d = 0; d < batch.devices.length; d++) {
    const name = batch.devices[d]
    if (only !== undefined && name !== only) {
      const detail = `this key may write ${JSON.stringify(only)} only`
      return { index: d, field: 'devices', detail, reason: 'forbidden' }
    }
    const known = table.findDevice(batch.tenant, name)
    if (known !== undefined && devices.admits(known)) {
      const retryAfterMs = context.rates?.waitMs(known, context.nowMs) ?? 0
      if (retryAfterMs === 0) continue
      const detail = `${JSON.stringify(name)} has sent too much (limits.devicePointsPerSecond)`
      return { index: d, field: 'devices', detail, reason: 'rate_limited', retryAfterMs }
    }
    const problem = deviceIdProblem(name)
    if (problem !== undefined) {
      return { index: d, field: 'devices', detail: problem, reason: 'invalid_name' }
    }
    if (known !== undefined || !devices.admitsNew(batch.tenant, name)) {
      const detail = `device ${JSON.stringify(name)} is not registered`
      return { index: d, field: 'devices', detail, reason: 'unknown_device' }
    }
  }
  if (!sound.has(batch.seriesDevice)) {
    const problem = checkSeries(batch)
    if (problem !== undefined) return problem
    sound.add(batch.seriesDevice)
  }
  const { tenant } = batch
  const series = batch.seriesDevice.length
  // Counting those that are known is only worth it where not all of them would have room.
  if (seriesRefusal(table, limits, { tenant, count: series }) === undefined) return undefined
  const count = series - knownSeries(batch, table)
  const detail = seriesRefusal(table, limits, { tenant, count })
  if (detail === undefined) return undefined
  return { index: 0, field: 'series', detail, reason: 'limit' }
}

function checkSeries(batch: Batch): Problem | undefined {
  const pairs = new Set<number>()
  for (let s = 0; s < batch.seriesDevice.length; s++) {
    pairs.add(batch.seriesDevice[s] * batch.metrics.length + batch.seriesMetric[s])
  }
  if (pairs.size < batch.seriesDevice.length) {
    return { index: 0, field: 'series', detail: 'a series occurs twice', reason: 'malformed' }
  }
  for (let m = 0; m < batch.metrics.length; m++) {
    const problem = nameProblem(batch.metrics[m])
    if (problem !== undefined) {
      return { index: m, field: 'metrics', detail: problem, reason: 'invalid_name' }
    }
  }
  return undefined
}

function knownSeries(batch: Batch, table: SeriesTable): number {
  let known = 0
  for (let s = 0; s < batch.seriesDevice.length; s++) {
    const device = table.findDevice(batch.tenant, batch.devices[batch.seriesDevice[s]])
    if (device?.series.has(batch.metrics[batch.seriesMetric[s]]) === true) known++
  }
  return known
}
