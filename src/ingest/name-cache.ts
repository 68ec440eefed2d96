import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import type { ByteReader } from './byte-reader.ts'

const SLOTS = 1 << 17
const MASK = SLOTS - 1
/** A slot: device id + 1 (0: empty), and where its name is among the kept ones. */
const FIELDS = 4
const MAX_NAME_BYTES = 32 << 20

/**
 * From the bytes of a device's name to its entry without making a string: a direct-mapped cache,
 * where a collision only costs the ordinary look-up. Slots and names are flat memory, because at
 * this rate what a look-up costs is the cache lines that it touches. What it returns has been
 * compared byte by byte.
 */
export class NameCache {
  readonly #table: SeriesTable
  readonly #slots = new Int32Array(SLOTS * FIELDS)
  #names = Buffer.alloc(1 << 16)
  #used = 0

  constructor(table: SeriesTable) {
    this.#table = table
  }

  /** The tenant's device named by the string that `reader` read last, if it is known. */
  device(tenant: string, reader: ByteReader): DeviceEntry | undefined {
    const slots = this.#slots
    const at = (reader.hash() & MASK) * FIELDS
    const cached = slots[at]
    if (cached > 0 && reader.isBytes(this.#names, slots[at + 1], slots[at + 2])) {
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

  #keep({ bytes, from, to }: ByteReader): number {
    const at = this.#used
    if (at + to - from > this.#names.length) this.#makeRoom()
    bytes.copy(this.#names, this.#used, from, to)
    const place = this.#used
    this.#used += to - from
    return place
  }

  /** Twice the room, or at the bound an empty cache. */
  #makeRoom(): void {
    if (this.#names.length < MAX_NAME_BYTES) {
      this.#names = Buffer.concat([this.#names], 2 * this.#names.length)
      return
    }
    this.#slots.fill(0)
    this.#used = 0
  }
}
