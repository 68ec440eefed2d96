import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import type { ByteReader } from './byte-reader.ts'

const SLOTS = 1 << 18
const MASK = SLOTS - 1

/**
 * From a name to its entry in the series table without making a string: two direct-mapped caches,
 * where a collision only costs the ordinary look-up. What they return has been compared.
 */
export class NameCache {
  readonly #table: SeriesTable
  /** Device id + 1, and series id + 1; 0 is an empty slot. */
  readonly #devices = new Uint32Array(SLOTS)
  readonly #series = new Uint32Array(SLOTS)

  constructor(table: SeriesTable) {
    this.#table = table
  }

  /** The tenant's device named by the string that `reader` read last, if it is known. */
  device(tenant: string, reader: ByteReader): DeviceEntry | undefined {
    const slot = reader.hash() & MASK
    const cached = this.#devices[slot]
    if (cached > 0) {
      const entry = this.#table.deviceAt(cached - 1)
      if (reader.isString(entry.name) && entry.tenant === tenant) return entry
    }
    const entry = this.#table.findDevice(tenant, reader.text())
    if (entry !== undefined) this.#devices[slot] = entry.id + 1
    return entry
  }

  /** The device's series of a metric, -1 when there is none yet; `salt` tells metrics apart. */
  series(device: DeviceEntry, metric: string, salt: number): number {
    const slot = (Math.imul(device.id, 0x9e3779b1) ^ Math.imul(salt, 0x85ebca6b)) >>> 14
    const cached = this.#series[slot]
    if (cached > 0) {
      const series = cached - 1
      const table = this.#table
      if (table.deviceOf(series) === device && table.metricOf(series) === metric) return series
    }
    const series = device.series.get(metric)
    if (series === undefined) return -1
    this.#series[slot] = series + 1
    return series
  }
}
