import type { Demand } from '../model/demand.ts'
import { ratesOf, type Rates } from './rates.ts'

/** What a plan asks for. Bytes and bits are decimal: a GB is 1e9. */
export interface Resources {
  readonly cores: number
  readonly memoryBytes: number
  /** For all of the retention, with all copies. */
  readonly diskBytes: number
  /** What comes in. */
  readonly networkBitsPerSecond: number
  /** What a day adds to the disk, one copy. */
  readonly storedBytesPerDay: number
}

const POINTS_A_CORE = 10_000
const LEAST_CORES = 4
/** Where nothing was measured. */
export const STORED_BYTES_A_POINT = 50
const WIRE_BYTES_A_POINT = 100
const LEAST_MEMORY_GB = 16
const BASE_MEMORY_GB = 8
const DEVICES_A_GB = 1000
const GB = 1e9

/** The rule of thumb of the field, of whatever rates: a sample is a point. Nothing of it is measured. */
export function classicPlan(demand: Demand, rates: Rates): Resources {
  const { pointsPerDay } = ratesOf(demand)
  const storedBytesPerDay = pointsPerDay * STORED_BYTES_A_POINT
  const memoryGb = Math.max(LEAST_MEMORY_GB, demand.devices / DEVICES_A_GB + BASE_MEMORY_GB)
  return {
    cores: Math.max(LEAST_CORES, Math.ceil(rates.pointsPerSecond / POINTS_A_CORE)),
    memoryBytes: Math.ceil(memoryGb) * GB,
    diskBytes: storedBytesPerDay * demand.retentionDays * demand.replicas,
    networkBitsPerSecond: networkBits(demand, rates),
    storedBytesPerDay,
  }
}

/** Of what comes in; the lab does not measure it, so measured plans have the same. */
export function networkBits({ payloadBytes }: Demand, rates: Rates): number {
  const bytes =
    payloadBytes === undefined
      ? rates.pointsPerSecond * WIRE_BYTES_A_POINT
      : rates.messagesPerSecond * payloadBytes
  return bytes * 8
}
