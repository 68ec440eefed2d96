import { BlockError } from './block-error.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'

/**
 * Length-limited canonical Huffman codes over up to 256 symbols, least significant bit first. The
 * state of the last built code is in module-level arrays (one thread, no reentrance): `codeLengths`
 * and `codes` for the writer, `decodeTable` for the reader.
 */
export const MAX_CODE_BITS = 12
export const codeLengths = new Uint8Array(256)
/** Per symbol: code length << 16 | the code, its first bit lowest. */
export const codes = new Uint32Array(256)
/** Per peeked bits: symbol << 4 | code length. */
export const decodeTable = new Uint16Array(1 << MAX_CODE_BITS)

const RUN = 15
const END = 14
const keys = new Uint32Array(256)
const work = new Float64Array(256)
const depthCounts = new Int32Array(64)
const nextCodes = new Int32Array(MAX_CODE_BITS + 2)

/**
 * Sets `codeLengths` for the symbols whose `frequencies` (at most 2^23) are above 0, when there
 * are two or more. Returns how many they are.
 */
export function buildLengths(frequencies: Int32Array, maxBits: number): number {
  let used = 0
  for (let symbol = 0; symbol < 256; symbol++) {
    if (frequencies[symbol] > 0) keys[used++] = frequencies[symbol] * 256 + symbol
  }
  if (used < 2) return used
  codeLengths.fill(0)
  sortKeys(used)
  for (let i = 0; i < used; i++) work[i] = keys[i] >>> 8
  countDepths(used)
  limitDepths(maxBits)
  let at = 0
  for (let bits = maxBits; bits > 0; bits--) {
    for (let i = depthCounts[bits]; i > 0; i--) codeLengths[keys[at++] & 255] = bits
  }
  return used
}

/** Rising; a handful of symbols is sorted faster by insertion than by the typed array's sort. */
function sortKeys(used: number): void {
  if (used > 48) {
    keys.subarray(0, used).sort()
    return
  }
  for (let i = 1; i < used; i++) {
    const key = keys[i]
    let j = i - 1
    while (j >= 0 && keys[j] > key) {
      keys[j + 1] = keys[j]
      j--
    }
    keys[j + 1] = key
  }
}

/** Moffat and Katajainen: minimum-redundancy depths in place, from weights in rising order. */
function countDepths(used: number): void {
  let leaf = 0
  let root = 0
  for (let next = 0; next < used - 1; next++) {
    let weight = 0
    for (let child = 0; child < 2; child++) {
      if (leaf >= used || (root < next && work[root] < work[leaf])) {
        weight += work[root]
        work[root++] = next
      } else weight += work[leaf++]
    }
    work[next] = weight
  }
  work[used - 2] = 0
  for (let next = used - 3; next >= 0; next--) work[next] = work[work[next]] + 1
  depthCounts.fill(0)
  let available = 1
  let inner = used - 2
  for (let depth = 0; available > 0; depth++) {
    let internal = 0
    while (inner >= 0 && work[inner] === depth) {
      internal++
      inner--
    }
    depthCounts[depth] = available - internal
    available = 2 * internal
  }
}

/** Moves leaves up as JPEG's Annex K does; the code stays complete. */
function limitDepths(maxBits: number): void {
  for (let depth = 63; depth > maxBits; depth--) {
    while (depthCounts[depth] > 0) {
      let shorter = depth - 2
      while (depthCounts[shorter] === 0) shorter--
      depthCounts[depth] -= 2
      depthCounts[depth - 1]++
      depthCounts[shorter + 1] += 2
      depthCounts[shorter]--
    }
  }
}

/** Sets `codes` from `codeLengths`. */
export function assignCodes(): void {
  startCodes()
  for (let symbol = 0; symbol < 256; symbol++) {
    const bits = codeLengths[symbol]
    if (bits > 0) codes[symbol] = (bits << 16) | reverse(nextCodes[bits]++, bits)
  }
}

function startCodes(): void {
  depthCounts.fill(0)
  for (let symbol = 0; symbol < 256; symbol++) depthCounts[codeLengths[symbol]]++
  let code = 0
  depthCounts[0] = 0
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
    code = (code + depthCounts[bits - 1]) << 1
    nextCodes[bits] = code
  }
}

function reverse(code: number, bits: number): number {
  let rest = code
  let reversed = 0
  for (let i = 0; i < bits; i++) {
    reversed = (reversed << 1) | (rest & 1)
    rest >>>= 1
  }
  return reversed
}

/** Writes `codeLengths` as nibbles: a length, or RUN and n for 3 + n unused symbols; END. */
export function writeLengths(writer: ByteWriter): void {
  let last = 255
  while (codeLengths[last] === 0) last--
  let half = -1
  const nibble = (value: number): void => {
    if (half < 0) half = value
    else {
      writer.byte(half | (value << 4))
      half = -1
    }
  }
  for (let symbol = 0; symbol <= last; symbol++) {
    let zeros = 0
    while (codeLengths[symbol + zeros] === 0 && zeros < 18) zeros++
    if (zeros >= 3) {
      nibble(RUN)
      nibble(zeros - 3)
      symbol += zeros - 1
    } else nibble(codeLengths[symbol])
  }
  nibble(END)
  if (half >= 0) nibble(0)
}

/** Reads what `writeLengths` wrote and fills `decodeTable`; returns the bits to peek. */
export function readTable(reader: ByteReader): number {
  readLengths(reader)
  let longest = 0
  let space = 0
  for (let symbol = 0; symbol < 256; symbol++) {
    const bits = codeLengths[symbol]
    if (bits === 0) continue
    if (bits > longest) longest = bits
    space += 1 << (MAX_CODE_BITS - bits)
  }
  if (space !== 1 << MAX_CODE_BITS) throw new BlockError('a code is not complete')
  startCodes()
  const size = 1 << longest
  for (let symbol = 0; symbol < 256; symbol++) {
    const bits = codeLengths[symbol]
    if (bits === 0) continue
    const entry = (symbol << 4) | bits
    const step = 1 << bits
    for (let at = reverse(nextCodes[bits]++, bits); at < size; at += step) decodeTable[at] = entry
  }
  return longest
}

function readLengths(reader: ByteReader): void {
  codeLengths.fill(0)
  let symbol = 0
  let byte = 0
  let high = true
  const nibble = (): number => {
    high = !high
    if (high) return byte >>> 4
    byte = reader.byte()
    return byte & 15
  }
  for (;;) {
    const value = nibble()
    if (value === END) return
    if (value === RUN) symbol += 3 + nibble()
    else {
      if (value > MAX_CODE_BITS || symbol > 255) throw new BlockError('a code table is malformed')
      codeLengths[symbol++] = value
    }
    if (symbol > 256) throw new BlockError('a code table is malformed')
  }
}
