import { BlockError } from './block-error.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { MAX_BLOCK_POINTS } from './limits.ts'
import { readPlanes, writePlanes } from './planes.ts'
import { readSequence, writeSequence } from './predict.ts'

/**
 * Few distinct values that are no short decimals (21.4 * 1.8 + 32, states of any kind): each
 * once, in rising order (-0 before 0), and per point its rank. Ranks of neighbours are near.
 */
const SLOTS = 4096
const MAX_WORDS = 1024
const WARM_UP = 256

/** Per slot: word + 1, or 0. */
const slots = new Int16Array(SLOTS)
const words = new Float64Array(MAX_WORDS)
const ranked = new Float64Array(MAX_WORDS)
const rankOf = new Int32Array(MAX_WORDS)
const ranks = new Int32Array(MAX_BLOCK_POINTS)
const key = new Float64Array(1)
const keyBits = new Int32Array(key.buffer)

/** The word equal to `value` bit for bit, or a new one; `size` is how many there are. */
function findWord(value: number, size: number): number {
  key[0] = value
  let slot = (Math.imul(keyBits[0], 0x9e3779b1) ^ Math.imul(keyBits[1], 0x85ebca6b)) >>> 20
  for (;;) {
    const word = slots[slot] - 1
    if (word < 0) {
      slots[slot] = size + 1
      words[size] = value
      return size
    }
    if (Object.is(words[word], value)) return word
    slot = (slot + 1) & (SLOTS - 1)
  }
}

/** How many distinct values there are, kept for `writeDictionary`; 0 when it does not pay. */
export function findDictionary(values: Float64Array, count: number): number {
  const most = Math.min(MAX_WORDS - 1, count >>> 2)
  slots.fill(0)
  let size = 0
  for (let i = 0; i < count; i++) {
    const word = findWord(values[i], size)
    ranks[i] = word
    if (word < size) continue
    size++
    if (size > most || (size > (WARM_UP * 3) / 4 && i < WARM_UP)) return 0
  }
  return size
}

export function writeDictionary(
  writer: ByteWriter,
  { count, size }: { count: number; size: number },
): void {
  ranked.set(words.subarray(0, size))
  ranked.subarray(0, size).sort()
  for (let rank = 0; rank < size; rank++) rankOf[findWord(ranked[rank], size)] = rank
  for (let i = 0; i < count; i++) ranks[i] = rankOf[ranks[i]]
  writer.varint(size)
  writePlanes(writer, ranked, size)
  writeSequence(writer, ranks, count)
}

/** Reads `count` values into `values` from `at`. */
export function readDictionary(
  reader: ByteReader,
  values: Float64Array,
  { at, count }: { at: number; count: number },
): void {
  const size = reader.bounded(MAX_WORDS, 'dictionary size')
  readPlanes(reader, ranked, { at: 0, count: size })
  readSequence(reader, ranks, count)
  for (let i = 0; i < count; i++) {
    const rank = ranks[i]
    if (rank < 0 || rank >= size) throw new BlockError('a rank is not in the dictionary')
    values[at + i] = ranked[rank]
  }
}
