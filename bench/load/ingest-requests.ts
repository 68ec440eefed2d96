import { crc32 } from 'node:zlib'
import { putHundredths, putTime, walks } from './digits.ts'
import { frameTemplate } from './frame-template.ts'
import { deviceName, httpRequest, METRICS, putDevice, type RequestSource } from './request.ts'

/** A connection sends for devices of its own: `devices` of them from `firstDevice` on. */
export interface DeviceShare {
  readonly firstDevice: number
  readonly devices: number
  /** Device time of the first round; every round is a second later. */
  readonly startMs: number
}

const ROUND_MS = 1000
/** Each device sends in a millisecond of its own within the second. */
const phaseOf = (device: number): number => (device * 379) % 1000
const VALUE = '50.00'
const valuesText = METRICS.map(metric => `"${metric}":${VALUE}`).join(',')
const valueOffsets = METRICS.map(metric => valuesText.indexOf(`"${metric}":`) + metric.length + 3)

/** Goes round the devices; a new round is a second of device time later. */
function rounds(share: DeviceShare): { device: number; round: number; advance(): void } {
  const turn = {
    device: 0,
    round: 0,
    advance() {
      if (++turn.device < share.devices) return
      turn.device = 0
      turn.round++
    },
  }
  return turn
}

/** `POST /api/v1/telemetry`: an array of messages of 4 metrics, each of another device. */
export function jsonBatches(share: DeviceShare, messages: number): RequestSource {
  const item = `{"device_id":"${deviceName(0)}","timestamp":1700000000000,"data":{${valuesText}}}`
  const body = Buffer.from(`[${Array.from({ length: messages }, () => item).join(',')}]`)
  const { bytes, bodyAt } = httpRequest({ method: 'POST', path: '/api/v1/telemetry' }, body)
  const stride = item.length + 1
  const deviceAt = item.indexOf('dev-') + 4
  const timeAt = item.indexOf('1700000000000')
  const valuesAt = item.indexOf(valuesText)
  const walk = walks(share.devices * METRICS.length, share.firstDevice + 1)
  const turn = rounds(share)
  return {
    points: messages * METRICS.length,
    next() {
      for (let m = 0, at = bodyAt + 1; m < messages; m++, at += stride) {
        const device = share.firstDevice + turn.device
        putDevice(bytes, at + deviceAt, device)
        putTime(bytes, at + timeAt, share.startMs + turn.round * ROUND_MS + phaseOf(device))
        const series = turn.device * METRICS.length
        for (let v = 0; v < METRICS.length; v++) {
          putHundredths(bytes, at + valuesAt + valueOffsets[v], walk.next(series + v))
        }
        turn.advance()
      }
      return bytes
    },
  }
}

/** `POST /api/v2/write`: lines of 4 fields, each of another device, times in nanoseconds. */
export function lineBatches(share: DeviceShare, lines: number): RequestSource {
  const fields = METRICS.map(metric => `${metric}=${VALUE}`).join(',')
  const line = `plant,device_id=${deviceName(0)},site=north ${fields} 1700000000000000000\n`
  const path = '/api/v2/write?org=bench&bucket=plant&precision=ns'
  const head = { method: 'POST', path, contentType: 'text/plain; charset=utf-8' } as const
  const { bytes, bodyAt } = httpRequest(head, Buffer.from(line.repeat(lines)))
  const deviceAt = line.indexOf('dev-') + 4
  const timeAt = line.indexOf('1700000000000')
  const valuesAt = METRICS.map(metric => line.indexOf(`${metric}=`) + metric.length + 1)
  const walk = walks(share.devices * METRICS.length, share.firstDevice + 1)
  const turn = rounds(share)
  return {
    points: lines * METRICS.length,
    next() {
      for (let l = 0, at = bodyAt; l < lines; l++, at += line.length) {
        const device = share.firstDevice + turn.device
        putDevice(bytes, at + deviceAt, device)
        putTime(bytes, at + timeAt, share.startMs + turn.round * ROUND_MS + phaseOf(device))
        const series = turn.device * METRICS.length
        for (let v = 0; v < METRICS.length; v++) {
          putHundredths(bytes, at + valuesAt[v], walk.next(series + v))
        }
        turn.advance()
      }
      return bytes
    },
  }
}

/** `POST /api/v1/telemetry/batch`, columnar: `rows` seconds of one device. */
export function columnarBatches(share: DeviceShare, rows: number): RequestSource {
  const column = (cell: string): string => Array.from({ length: rows }, () => cell).join(',')
  const metrics = METRICS.map(metric => `"${metric}":[${column(VALUE)}]`).join(',')
  const times = column('1700000000000')
  const text = `{"device_id":"${deviceName(0)}","timestamps":[${times}],"metrics":{${metrics}}}`
  const { bytes, bodyAt } = httpRequest(
    { method: 'POST', path: '/api/v1/telemetry/batch' },
    Buffer.from(text),
  )
  const deviceAt = bodyAt + text.indexOf('dev-') + 4
  const timesAt = bodyAt + text.indexOf('1700000000000')
  const columnsAt = METRICS.map(
    metric => bodyAt + text.indexOf(`"${metric}":[`) + metric.length + 4,
  )
  const walk = walks(share.devices * METRICS.length, share.firstDevice + 1)
  const turn = rounds(share)
  return {
    points: rows * METRICS.length,
    next() {
      const device = share.firstDevice + turn.device
      putDevice(bytes, deviceAt, device)
      const startMs = share.startMs + turn.round * rows * ROUND_MS + phaseOf(device)
      for (let r = 0; r < rows; r++) putTime(bytes, timesAt + 14 * r, startMs + r * ROUND_MS)
      for (let v = 0; v < METRICS.length; v++) {
        const series = turn.device * METRICS.length + v
        const at = columnsAt[v]
        for (let r = 0; r < rows; r++) putHundredths(bytes, at + 6 * r, walk.next(series))
      }
      turn.advance()
      return bytes
    },
  }
}

/** `POST /api/v1/telemetry/binary`: one frame with `rows` seconds of `group` devices. */
export function frames(share: DeviceShare, shape: { group: number; rows: number }): RequestSource {
  const { group, rows } = shape
  const template = frameTemplate({ group, rows, metricsOf: () => METRICS })
  const head = {
    method: 'POST',
    path: '/api/v1/telemetry/binary',
    contentType: 'application/octet-stream',
  } as const
  const { bytes, bodyAt } = httpRequest(head, template.frame)
  const { frame, timestamps, values, namesAt } = template
  const walk = walks(share.devices * METRICS.length, share.firstDevice + 1)
  const turn = rounds({ ...share, devices: share.devices / group })
  return {
    points: timestamps.length,
    next() {
      const first = turn.device * group
      const startUs = (share.startMs + turn.round * rows * ROUND_MS) * 1000
      for (let d = 0; d < group; d++) {
        putDevice(frame, namesAt[d], share.firstDevice + first + d)
      }
      let p = 0
      for (let r = 0; r < rows; r++) {
        for (let d = 0; d < group; d++) {
          const time = startUs + (r * ROUND_MS + phaseOf(share.firstDevice + first + d)) * 1000
          const series = (first + d) * METRICS.length
          for (let v = 0; v < METRICS.length; v++, p++) {
            timestamps[p] = time
            values[p] = walk.next(series + v) / 100
          }
        }
      }
      frame.writeUInt32LE(crc32(frame.subarray(8)), 4)
      frame.copy(bytes, bodyAt)
      turn.advance()
      return bytes
    },
  }
}

/** `POST /api/telemetry/{device_id}` with 4 metrics and no time: each request is another device. */
export function singleMessages(share: DeviceShare): RequestSource {
  const body = Buffer.from(`{${valuesText}}`)
  const head = { method: 'POST', path: `/api/telemetry/${deviceName(0)}` } as const
  const { bytes, bodyAt } = httpRequest(head, body)
  const deviceAt = bytes.indexOf('dev-') + 4
  const walk = walks(share.devices * METRICS.length, share.firstDevice + 1)
  const turn = rounds(share)
  return {
    points: METRICS.length,
    next() {
      putDevice(bytes, deviceAt, share.firstDevice + turn.device)
      for (let v = 0; v < METRICS.length; v++) {
        const value = walk.next(turn.device * METRICS.length + v)
        putHundredths(bytes, bodyAt + 1 + valueOffsets[v], value)
      }
      turn.advance()
      return bytes
    },
  }
}
