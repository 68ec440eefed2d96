import { encodeFrame } from '../../src/model/frame.ts'
import { deviceName } from './request.ts'

export interface FrameShape {
  /** Devices in a frame. */
  readonly group: number
  /** Readings of each device in a frame. */
  readonly rows: number
  /** The same number of metrics for each device. */
  readonly metricsOf: (device: number) => readonly string[]
}

/** A frame that is filled again and again: points are ordered by row, then device, then metric. */
export interface FrameTemplate {
  readonly frame: Buffer
  /** Views into the frame. */
  readonly timestamps: Float64Array
  readonly values: Float64Array
  /** Where the digits of each device's name are in it. */
  readonly namesAt: readonly number[]
}

export function frameTemplate(shape: FrameShape): FrameTemplate {
  const { group, rows, metricsOf } = shape
  const devices = Array.from({ length: group }, (_, d) => deviceName(d))
  const metrics = [...new Set(devices.flatMap((_, d) => metricsOf(d)))]
  const places = devices.flatMap((_, d) =>
    metricsOf(d).map(name => ({ d, m: metrics.indexOf(name) })),
  )
  const series = places.length
  const points = rows * series
  const encoded = encodeFrame({
    tenant: 'default',
    devices,
    metrics,
    seriesDevice: Uint32Array.from(places, place => place.d),
    seriesMetric: Uint32Array.from(places, place => place.m),
    seriesIndex: Uint32Array.from({ length: points }, (_, p) => p % series),
    timestamps: new Float64Array(points),
    values: new Float64Array(points),
  })
  const frame = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength)
  // The columns stand at the end: times, values, then the index (docs/formats/frame.md).
  const timesAt = encoded.byteOffset + frame.length - ((4 * points + 7) & ~7) - 16 * points
  return {
    frame,
    timestamps: new Float64Array(encoded.buffer, timesAt, points),
    values: new Float64Array(encoded.buffer, timesAt + 8 * points, points),
    namesAt: devices.map(name => frame.indexOf(name) + 4),
  }
}
