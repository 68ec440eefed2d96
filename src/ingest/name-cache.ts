import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import type { ByteReader } from './byte-reader.ts'
import { KeptBytes } from './kept-bytes.ts'

const SLOTS = 1 << 17
const MASK = SLOTS - 1
/** A slot: device id + 1 (0: empty), and where its name is among the kept ones. */
const FIELDS = 4

/**
 * From the bytes of a device's name to its entry without making a string: a direct-mapped cache,
 * where a collision only costs the ordinary look-up. Slots and names are flat memory, because at
 * this rate what a look-up costs is the cache lines that it touches. What it returns has been
 * compared byte by byte.
 */
export class NameCache {
  readonly #table: SeriesTable
  readonly #slots = new Int32Array(SLOTS * FIELDS)
  readonly #names = new KeptBytes()

  constructor(table: SeriesTable) {
    this.#table = table
  }

  /** The tenant's device named by the string that `reader` read last, if it is known. */
  device(tenant: string, reader: ByteReader): DeviceEntry | undefined {
    const slots = this.#slots
    const at = (reader.hash() & MASK) * FIELDS
    const cached = slots[at]
    if (cached > 0 && reader.isBytes(this.#names.bytes, slots[at + 1], slots[at + 2])) {
      const entry = this.#table.deviceAt(cached - 1)
      if (entry.tenant === tenant) return entry
    }
    const entry = this.#table.findDevice(tenant, reader.text())
    if (entry !== undefined) {
      slots[at + 1] = this.#keep(reader)
      slots[at + 2] = reader.to - reader.from
      slots[at] = entry.id + 1
    }
    return entry
  }

  /** At the bound the cache is emptied. */
  #keep({ bytes, from, to }: ByteReader): number {
    const place = this.#names.keep(bytes, from, to)
    if (place >= 0) return place
    this.#slots.fill(0)
    this.#names.clear()
    return this.#names.keep(bytes, from, to)
  }
}
