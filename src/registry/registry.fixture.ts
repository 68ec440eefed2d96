import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import type { FakeClock } from '../../test/fixtures/fake-clock.ts'
import type { Batch } from '../model/batch.ts'
import { SeriesTable } from '../model/series-table.ts'
import { MemoryCatalog } from './memory-catalog.fixture.ts'
import { Registry } from './registry.ts'
import type { StatusChange } from './fleet.ts'
import type { RegistryOptions } from './registry.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const DAY = 24 * 60 * MINUTE
export const TENANT = 'default'

/** One process: a registry with a table of its own. Another on the same catalog is a restart. */
export interface Process {
  readonly registry: Registry
  readonly table: SeriesTable
  readonly catalog: MemoryCatalog
  readonly clock: FakeClock
  readonly errors: unknown[]
  readonly changes: StatusChange[]
  /** A batch of these devices arrives now. */
  send(...devices: string[]): void
}

export async function startProcess(
  options: Partial<RegistryOptions> & { catalog?: MemoryCatalog; clock?: FakeClock } = {},
): Promise<Process> {
  const { catalog = new MemoryCatalog(), clock = fakeClock() } = options
  const table = new SeriesTable()
  const errors: unknown[] = []
  const changes: StatusChange[] = []
  const registry = await Registry.open({
    table,
    autoCreate: true,
    expectedIntervalMs: MINUTE,
    offlineAfterIntervals: 3,
    startupGraceMs: MINUTE,
    flushIntervalMs: 5 * SECOND,
    maxDevices: 1_000_000,
    maxProducts: 1000,
    onError: error => void errors.push(error),
    ...options,
    catalog,
    clock,
  })
  registry.onStatusChange(change => void changes.push(change))
  const send = (...devices: string[]): void => registry.see(aBatch(devices), clock.nowMs())
  return { registry, table, catalog, clock, errors, changes, send }
}

/** A point of each of two metrics of each device, the devices' series interleaved. */
export function aBatch(devices: readonly string[], tenant = TENANT): Batch {
  const series = 2 * devices.length
  return {
    tenant,
    devices,
    metrics: ['temperature', 'pressure'],
    seriesDevice: Uint32Array.from({ length: series }, (_, s) => s % devices.length),
    seriesMetric: Uint32Array.from({ length: series }, (_, s) => Math.floor(s / devices.length)),
    seriesIndex: Uint32Array.from({ length: series }, (_, s) => s),
    timestamps: new Float64Array(series),
    values: new Float64Array(series),
  }
}

/** Waits, turn by turn of the event loop, until `holds`. */
export async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; !holds(); turns++) {
    if (turns > 10_000) throw new Error('waited in vain')
    await new Promise(resolve => setImmediate(resolve))
  }
}
