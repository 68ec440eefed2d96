import { crc32 } from 'node:zlib'
import type { Batch } from './batch.ts'

/** The names of a batch, and which of them make each of its series. */
export type Dictionary = Pick<
  Batch,
  'tenant' | 'devices' | 'metrics' | 'seriesDevice' | 'seriesMetric'
>

/** What a frame's header says of its dictionary. */
export interface DictionaryCounts {
  readonly devices: number
  readonly metrics: number
  readonly series: number
  readonly dictionaryBytes: number
}

interface Kept extends DictionaryCounts {
  readonly bytes: Buffer
  readonly dictionary: Dictionary
}

/** Bytes of dictionaries that are kept; the oldest are forgotten. */
const MAX_BYTES = 8 << 20
/** Checksums of dictionaries that came once. */
const MAX_SEEN = 4096

/**
 * Dictionaries of frames that came before. A gateway sends the same names in every frame: they are
 * decoded once, and are the same objects from then on, so that whatever is known of a dictionary
 * can be kept by its `seriesDevice` (see `SeriesTable.resolve`). One that comes only once is not
 * kept.
 */
export class Dictionaries {
  readonly #kept = new Map<number, Kept>()
  #keptBytes = 0
  #seen = new Set<number>()

  /** The dictionary that these bytes stand for; what is not kept is asked of `decode`. */
  of(bytes: Buffer, counts: DictionaryCounts, decode: () => Dictionary): Dictionary {
    const checksum = crc32(bytes)
    const kept = this.#kept.get(checksum)
    if (kept !== undefined && isSame(kept, counts) && kept.bytes.equals(bytes)) {
      return kept.dictionary
    }
    const dictionary = decode()
    if (kept !== undefined || !this.#isRepeated(checksum)) return dictionary
    const { devices, metrics, series, dictionaryBytes } = counts
    const own = {
      ...dictionary,
      // The frame's memory is not ours to keep.
      seriesDevice: dictionary.seriesDevice.slice(),
      seriesMetric: dictionary.seriesMetric.slice(),
    }
    this.#kept.set(checksum, {
      ...{ devices, metrics, series, dictionaryBytes },
      ...{ bytes: Buffer.from(bytes), dictionary: own },
    })
    this.#keptBytes += bytes.length
    this.#forget()
    return own
  }

  #isRepeated(checksum: number): boolean {
    if (this.#seen.delete(checksum)) return true
    if (this.#seen.size >= MAX_SEEN) this.#seen = new Set()
    this.#seen.add(checksum)
    return false
  }

  #forget(): void {
    for (const [checksum, { bytes }] of this.#kept) {
      if (this.#keptBytes <= MAX_BYTES) return
      this.#kept.delete(checksum)
      this.#keptBytes -= bytes.length
    }
  }
}

function isSame(a: DictionaryCounts, b: DictionaryCounts): boolean {
  return (
    a.devices === b.devices &&
    a.metrics === b.metrics &&
    a.series === b.series &&
    a.dictionaryBytes === b.dictionaryBytes
  )
}
