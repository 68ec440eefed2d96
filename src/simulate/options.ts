import type { FaultRates } from './faults.ts'

export interface SimulateOptions {
  readonly protocol: 'http' | 'mqtt'
  readonly target: string
  readonly key?: string | undefined
  readonly devices: number
  /** Of each device. */
  readonly metrics: number
  /** Between two readings of one device. */
  readonly intervalMs: number
  /** Infinity: until it is stopped. */
  readonly durationMs: number
  readonly seed: number
  readonly faults: FaultRates
  /** Messages a request, at most (HTTP). */
  readonly batch: number
  readonly connections: number
  /** Messages that may wait for their acknowledgement before the simulation waits for them. */
  readonly maxWaiting: number
  /** Recorded files or folders of them to send in place of a fleet; empty: a fleet. */
  readonly replay: readonly string[]
  /** Recorded seconds a second; Infinity: as fast as it is acknowledged. */
  readonly speed: number
  readonly rebase: 'now' | undefined
  readonly timeColumn: string | undefined
  readonly deviceColumn: string | undefined
}
