import type { Batch } from '../model/batch.ts'
import { deviceIdProblem, nameProblem } from '../model/names.ts'
import type { Rejection, RejectReason } from '../model/rejection.ts'
import type { SeriesTable } from '../model/series-table.ts'
import { MAX_TIME_US } from '../model/time.ts'
import type { DevicePolicy, IngestLimits } from './limits.ts'

export interface FrameCheckContext {
  readonly limits: IngestLimits
  readonly table: SeriesTable
  readonly devices: DevicePolicy
  readonly nowMs: number
}

/**
 * What is wrong with a frame from outside: the first problem of names, of times and of values,
 * with the point's place as index. Empty when the frame may go to the log as it is. One pass over
 * the columns.
 */
export function checkFrame(batch: Batch, context: FrameCheckContext): Rejection[] {
  const points = batch.timestamps.length
  const { maxPointsPerRequest } = context.limits
  const whole = (
    index: number,
    field: string,
    detail: string,
    reason: RejectReason,
  ): Rejection[] => [{ index, field, detail, reason, points: Math.max(1, points) }]
  if (points > maxPointsPerRequest) {
    const detail = `has more than ${maxPointsPerRequest} points (ingest.maxPointsPerRequest)`
    return whole(0, '', detail, 'limit')
  }
  const names = checkNames(batch, context)
  if (names !== undefined) return whole(names.index, names.field, names.detail, names.reason)
  const { timestamps, values, texts } = batch
  const latestUs = Math.min(MAX_TIME_US, (context.nowMs + context.limits.maxFutureMs) * 1000)
  for (let i = 0; i < points; i++) {
    const time = timestamps[i]
    if (!(time >= 0 && time <= latestUs && Math.floor(time) === time)) {
      if (time > latestUs) {
        return whole(
          i,
          'timestamps',
          'is too far ahead of the clock (ingest.maxFutureMs)',
          'future_time',
        )
      }
      return whole(i, 'timestamps', 'is not an integer of microseconds since 1970', 'invalid_time')
    }
    const value = values[i]
    if (value - value !== 0 && (texts?.[i] === undefined || value === value)) {
      return whole(i, 'values', 'is not finite', 'invalid_value')
    }
    if (texts?.[i] !== undefined && value === value) {
      return whole(i, 'values', 'must be NaN where the point is text', 'invalid_value')
    }
  }
  return checkTexts(batch, context.limits, whole)
}

type Whole = (index: number, field: string, detail: string, reason: RejectReason) => Rejection[]

function checkTexts({ texts }: Batch, limits: IngestLimits, whole: Whole): Rejection[] {
  if (texts === undefined) return []
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]
    if (text !== undefined && Buffer.byteLength(text) > limits.maxTextBytes) {
      const detail = `is longer than ${limits.maxTextBytes} bytes (ingest.maxTextBytes)`
      return whole(i, 'texts', detail, 'too_long')
    }
  }
  return []
}

type Problem = Omit<Rejection, 'points'>

function checkNames(batch: Batch, context: FrameCheckContext): Problem | undefined {
  const { table, devices, limits } = context
  for (let d = 0; d < batch.devices.length; d++) {
    const name = batch.devices[d]
    const known = table.findDevice(batch.tenant, name)
    if (known !== undefined && devices.admits(known)) continue
    const problem = deviceIdProblem(name)
    if (problem !== undefined) {
      return { index: d, field: 'devices', detail: problem, reason: 'invalid_name' }
    }
    if (known !== undefined || !devices.admitsNew(batch.tenant, name)) {
      const detail = `device ${JSON.stringify(name)} is not registered`
      return { index: d, field: 'devices', detail, reason: 'unknown_device' }
    }
  }
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
  if (table.seriesCount + batch.seriesDevice.length > limits.maxSeries) {
    const fresh = batch.seriesDevice.length - knownSeries(batch, table)
    if (table.seriesCount + fresh > limits.maxSeries) {
      const detail = `there would be more than ${limits.maxSeries} series (ingest.maxSeries)`
      return { index: 0, field: 'series', detail, reason: 'limit' }
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
