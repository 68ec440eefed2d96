import type { Anomaly, AnomalyKey } from '../model/anomaly.ts'
import { isoFromTime } from '../model/time.ts'
import { encodeValue } from './fleet-record.ts'
import { badParameter } from './problem.ts'

/** JSON of a number; null for what JSON has no number for. */
export const encodeNumber = (value: number | undefined): string =>
  value === undefined || !Number.isFinite(value) ? 'null' : encodeValue(value)

/** The JSON of one anomaly. */
export function encodeAnomaly(anomaly: Anomaly): string {
  const { device, metric, timeUs, severity, value, score, average, deviationPct, detector } =
    anomaly
  const point = `"device_id":${JSON.stringify(device)},"metric":${JSON.stringify(metric)},"timestamp":"${isoFromTime(timeUs)}"`
  const judged = `"value":${encodeNumber(value)},"severity":"${severity}","score":${encodeNumber(score)}`
  const beside = `"rolling_avg":${encodeNumber(average)},"deviation_pct":${encodeNumber(deviationPct)}`
  return `{${point},${judged},${beside},"detector":${JSON.stringify(detector)}}`
}

/** Where a page ended; opaque to clients. */
export function encodeAnomalyCursor({ timeUs, device, metric, detector }: AnomalyKey): string {
  return Buffer.from(JSON.stringify([timeUs, device, metric, detector])).toString('base64url')
}

/** @throws HttpProblem 400 when the text is no cursor. */
export function decodeAnomalyCursor(text: string): AnomalyKey {
  let key: unknown
  try {
    key = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    key = undefined
  }
  if (!Array.isArray(key) || key.length !== 4) throw notACursor()
  const [timeUs, device, metric, detector] = key as unknown[]
  const names = [device, metric, detector]
  if (typeof timeUs !== 'number' || names.some(name => typeof name !== 'string')) {
    throw notACursor()
  }
  return { timeUs, device, metric, detector } as AnomalyKey
}

const notACursor = () => badParameter('cursor', 'is not the next_cursor of an answer')
