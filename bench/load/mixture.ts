import { crc32 } from 'node:zlib'
import { frameTemplate } from './frame-template.ts'
import { httpRequest, putDevice, type RequestSource } from './request.ts'

/**
 * The data of the figures for queries and for bytes a point (docs/reference/benchmarks.md says it
 * in words): ten kinds of series in equal shares, five metrics a device.
 */
export const MIXTURE_METRICS = [
  'temperature',
  'pressure',
  'humidity',
  'level',
  'energy',
  'uptime',
  'running',
  'mode',
  'speed',
  'checksum',
] as const
const METRICS_PER_DEVICE = 5

export function mixtureMetrics(device: number): readonly string[] {
  const first = (device % 2) * METRICS_PER_DEVICE
  return MIXTURE_METRICS.slice(first, first + METRICS_PER_DEVICE)
}

/** The values of every series of some devices, reading by reading. */
export interface MixtureValues {
  /** `series` is `device * 5 + metric`; called once for each reading. */
  next(series: number, timeMs: number): number
}

const DAY_MS = 86_400_000

export function mixtureValues(devices: number, seed: number): MixtureValues {
  const state = new Float64Array(devices * METRICS_PER_DEVICE)
  for (let s = 0; s < state.length; s++) state[s] = (s * 7919) % 1000
  let bits = (seed * 2654435761 + 88675123) | 0 || 1
  const random = (): number => {
    bits ^= bits << 13
    bits ^= bits >>> 17
    bits ^= bits << 5
    return bits >>> 0
  }
  return {
    next(series, timeMs) {
      const old = state[series]
      switch (series % MIXTURE_METRICS.length) {
        case 0: // A walk in hundredths.
          return (state[series] = old + (random() % 7) - 3) / 100
        case 1: // A walk in tenths.
          return (state[series] = old + (random() % 3) - 1) / 10
        case 2: // The day's sine in tenths, with the sensor's noise of one step.
          return (
            Math.round(
              550 + 120 * Math.sin((timeMs / DAY_MS) * 2 * Math.PI + series) + (random() % 3) - 1,
            ) / 10
          )
        case 3: // A sine of an hour in hundredths, smooth.
          return (
            Math.round(5000 + 900 * Math.sin((timeMs / 3_600_000) * 2 * Math.PI + series)) / 100
          )
        case 4: // A meter: counts up by what was used.
          return (state[series] = old + (random() % 10))
        case 5: // A counter that counts evenly.
          return (state[series] = old + 43)
        case 6: // On or off, changing once in 200 readings.
          return (state[series] = random() % 200 === 0 ? 1 - (old & 1) : old & 1)
        case 7: // One of five modes, changing once in 100 readings.
          return (state[series] = random() % 100 === 0 ? random() % 5 : old % 5)
        case 8: // A walk in whole steps.
          return (state[series] = old + (random() % 21) - 10)
        default: // All 52 bits random: nothing can compress this.
          return (random() * 1_048_576 + (random() & 1_048_575)) / 4_503_599_627_370_496
      }
    },
  }
}

export interface MixtureShare {
  readonly firstDevice: number
  readonly devices: number
  /** Devices and readings of each in a frame. */
  readonly group: number
  readonly rows: number
  readonly startMs: number
  /** Between two readings of a device. */
  readonly intervalMs: number
  /** Readings of each device; after them there is nothing more to send. */
  readonly readings: number
}

/** Frames of the mixture, through all devices before the next `rows` readings. */
export function mixtureFrames(share: MixtureShare): RequestSource {
  const { group, rows, devices, firstDevice, startMs, intervalMs } = share
  // The frame's names are laid out once, for a group that begins with an even device.
  if (group % 2 > 0 || firstDevice % 2 > 0 || devices % group > 0) {
    throw new Error(
      `${devices} devices from ${firstDevice} on do not split into groups of ${group}`,
    )
  }
  const { frame, timestamps, values, namesAt } = frameTemplate({
    group,
    rows,
    metricsOf: mixtureMetrics,
  })
  const head = {
    method: 'POST',
    path: '/api/v1/telemetry/binary',
    contentType: 'application/octet-stream',
  } as const
  const { bytes, bodyAt } = httpRequest(head, frame)
  const mixture = mixtureValues(devices, firstDevice + 1)
  let first = 0
  let reading = 0
  return {
    points: timestamps.length,
    next() {
      if (reading >= share.readings) return undefined
      for (let d = 0; d < group; d++) putDevice(frame, namesAt[d], firstDevice + first + d)
      let p = 0
      for (let r = 0; r < rows; r++) {
        for (let d = 0; d < group; d++) {
          const phaseMs = Math.floor(
            (((firstDevice + first + d) * 379) % 1000) * (intervalMs / 1000),
          )
          const timeMs = startMs + (reading + r) * intervalMs + phaseMs
          const series = (first + d) * METRICS_PER_DEVICE
          for (let m = 0; m < METRICS_PER_DEVICE; m++, p++) {
            timestamps[p] = timeMs * 1000
            values[p] = mixture.next(series + m, timeMs)
          }
        }
      }
      frame.writeUInt32LE(crc32(frame.subarray(8)), 4)
      frame.copy(bytes, bodyAt)
      first += group
      if (first >= devices) {
        first = 0
        reading += rows
      }
      return bytes
    },
  }
}
