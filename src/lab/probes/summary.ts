import type { Latency } from '../generator/load.ts'

/** Exact, of all values: the probes have few. Zeros where there are none. */
export function latencyOf(valuesMs: readonly number[]): Latency {
  const sorted = [...valuesMs].sort((a, b) => a - b)
  const count = sorted.length
  // The smallest value that so many percent do not exceed.
  const at = (percent: number): number =>
    count === 0 ? 0 : sorted[Math.max(0, Math.ceil((percent / 100) * count) - 1)]
  return {
    count,
    meanMs: mean(sorted),
    ...{ p50Ms: at(50), p95Ms: at(95), p99Ms: at(99), maxMs: at(100) },
  }
}

/** 0 of none. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}

/** 0 of none. */
export function most(values: readonly number[]): number {
  return values.reduce((largest, value) => Math.max(largest, value), 0)
}

export interface Reading {
  readonly atMs: number
  readonly value: number
}

/** By least squares, per second; 0 of fewer than two moments. */
export function slopePerSecond(readings: readonly Reading[]): number {
  const meanAt = mean(readings.map(({ atMs }) => atMs))
  const meanValue = mean(readings.map(({ value }) => value))
  let both = 0
  let square = 0
  for (const { atMs, value } of readings) {
    both += (atMs - meanAt) * (value - meanValue)
    square += (atMs - meanAt) ** 2
  }
  return square === 0 ? 0 : (both / square) * 1000
}
