import { BlockError } from './block-error.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { extraBits, RUN_SYMBOL, scratch, SHORTEST_RUN, writeTokens } from './tokens.ts'
import { decodeTable, readTable } from './huffman.ts'

/**
 * A stream of integers whose distribution is narrow: Huffman codes for the small ones and for the
 * sizes of the others, whose remaining bits follow as they are; runs of zeros are one symbol.
 */
const CONSTANT = 0
const HUFFMAN = 1
const PACKED = 2
const LIST = 3

/** Integers within ±2^30. */
export function writeIntegers(writer: ByteWriter, integers: Int32Array, count: number): void {
  const first = count === 0 ? 0 : integers[0]
  let same = 1
  while (same < count && integers[same] === first) same++
  if (same >= count) {
    writer.byte(CONSTANT)
    writer.signed(first)
    return
  }
  const { symbols, extras, frequencies } = scratch
  frequencies.fill(0)
  let tokens = 0
  let all = 0
  for (let i = 0; i < count; i++) {
    const integer = integers[i]
    const value = (integer << 1) ^ (integer >> 31)
    all |= value
    // Four at once, because where zeros are mixed with others one test for each is guessed wrong.
    if (i + 3 < count && (integer | integers[i + 1] | integers[i + 2] | integers[i + 3]) === 0) {
      let end = i + SHORTEST_RUN
      while (end < count && integers[end] === 0) end++
      tokens = pushZeros(tokens, end - i)
      i = end - 1
    } else if (value < 32) {
      symbols[tokens++] = value
      frequencies[value]++
    } else {
      const bits = 30 - Math.clz32(value)
      const symbol = 24 + 2 * bits + ((value >>> bits) & 1)
      symbols[tokens] = symbol
      extras[tokens++] = value & ((1 << bits) - 1)
      frequencies[symbol]++
    }
  }
  const start = writer.at
  writer.byte(HUFFMAN)
  const width = 32 - Math.clz32(all)
  const packedBytes = 2 + Math.ceil((count * width) / 8)
  if (!writeTokens(writer, tokens, packedBytes)) {
    writer.at = start
    writePacked(writer, integers, { count, width })
  }
}

function pushZeros(tokens: number, length: number): number {
  const { symbols, extras, frequencies } = scratch
  const bits = 31 - Math.clz32(length)
  const symbol = RUN_SYMBOL + bits
  symbols[tokens] = symbol
  extras[tokens] = length - (1 << bits)
  frequencies[symbol]++
  return tokens + 1
}

function writePacked(
  writer: ByteWriter,
  integers: Int32Array,
  { count, width }: { count: number; width: number },
): void {
  writer.byte(PACKED)
  writer.byte(width)
  const { view } = writer
  let { at } = writer
  let buffer = 0
  let held = 0
  for (let i = 0; i < count; i++) {
    const integer = integers[i]
    let value = ((integer << 1) ^ (integer >> 31)) >>> 0
    let bits = width
    if (bits > 16) {
      buffer |= (value & 0xffff) << held
      view.setUint16(at, buffer, true)
      at += 2
      buffer >>>= 16
      // 16 bits came and 16 went: `held` is as it was, its bits are the new value's.
      value >>>= 16
      bits -= 16
    }
    buffer |= value << held
    held += bits
    if (held >= 16) {
      view.setUint16(at, buffer, true)
      at += 2
      buffer >>>= 16
      held -= 16
    }
  }
  view.setUint16(at, buffer, true)
  writer.at = at + ((held + 7) >>> 3)
}

/** Non-negative integers below 2^53; no value of the stream needs to be small. */
export function writeWide(writer: ByteWriter, integers: Float64Array, count: number): void {
  const { symbols, extras, highExtras, frequencies } = scratch
  frequencies.fill(0)
  for (let i = 0; i < count; i++) {
    const integer = integers[i]
    const high = Math.floor(integer / 0x100000000)
    const low = integer >>> 0
    let symbol = integer
    if (high > 0) {
      const bits = 62 - Math.clz32(high)
      // The two leading bits are in the symbol; they are taken off what follows it.
      const two = Math.floor(integer / 2 ** bits)
      symbol = 24 + 2 * bits + (two & 1)
      const rest = integer - two * 2 ** bits
      extras[i] = rest >>> 0
      highExtras[i] = Math.floor(rest / 0x100000000)
    } else if (low >= 32) {
      const bits = 30 - Math.clz32(low)
      symbol = 24 + 2 * bits + ((low >>> bits) & 1)
      extras[i] = low & ((1 << bits) - 1)
    }
    symbols[i] = symbol
    frequencies[symbol]++
  }
  const { at } = writer
  writer.byte(HUFFMAN)
  if (!writeTokens(writer, count, Infinity)) {
    writer.at = at
    writer.byte(LIST)
    for (let i = 0; i < count; i++) writer.varint(integers[i])
  }
}

/** Reads `count` integers of a stream of `writeIntegers`. */
export function readIntegers(reader: ByteReader, integers: Int32Array, count: number): void {
  const mode = reader.byte()
  if (mode === HUFFMAN) readHuffman(reader, integers, count)
  else if (mode === PACKED) readPacked(reader, integers, count)
  else if (mode === CONSTANT) {
    const value = reader.signed()
    if (value !== (value | 0)) throw new BlockError('a constant is out of range')
    integers.fill(value, 0, count)
  } else throw new BlockError(`stream mode ${mode} is not known`)
}

function readHuffman(reader: ByteReader, integers: Int32Array, count: number): void {
  const mask = (1 << readTable(reader)) - 1
  const { view } = reader
  const table = decodeTable
  const end = 8 * reader.end
  let position = 8 * reader.at
  let i = 0
  while (i < count) {
    if (position > end) throw new BlockError('a stream ends too early')
    const word = view.getInt32(position >>> 3, true) >>> (position & 7)
    const entry = table[word & mask]
    position += entry & 15
    if (entry < 512) {
      const symbol = entry >>> 4
      integers[i++] = (symbol >>> 1) ^ -(symbol & 1)
      // At least 25 bits were peeked and a code has at most 12: often a second symbol is there.
      const next = table[(word >>> (entry & 15)) & mask]
      if (next < 512 && i < count) {
        const second = next >>> 4
        integers[i++] = (second >>> 1) ^ -(second & 1)
        position += next & 15
      }
      continue
    }
    const symbol = entry >>> 4
    const bits = extraBits[symbol]
    if (bits > 29) throw new BlockError(`symbol ${symbol} is out of range`)
    if (position + bits > end) throw new BlockError('a stream ends too early')
    const extra = peek(view, position, bits)
    position += bits
    if (symbol < RUN_SYMBOL) {
      const value = ((2 | (symbol & 1)) << bits) | extra
      integers[i++] = (value >>> 1) ^ -(value & 1)
    } else {
      const length = (1 << bits) + extra
      if (length > count - i) throw new BlockError('a run is longer than its stream')
      integers.fill(0, i, i + length)
      i += length
    }
  }
  if (position > end) throw new BlockError('a stream ends too early')
  reader.at = (position + 7) >>> 3
}

/** `bits` (0..32) from `position`; the caller has checked that they are there. */
function peek(view: DataView, position: number, bits: number): number {
  const at = position >>> 3
  const shift = position & 7
  let word = view.getInt32(at, true) >>> shift
  if (bits > 32 - shift) word |= view.getUint8(at + 4) << (32 - shift)
  return bits === 32 ? word >>> 0 : word & ((1 << bits) - 1)
}

function readPacked(reader: ByteReader, integers: Int32Array, count: number): void {
  const width = reader.byte()
  if (width === 0 || width > 31) throw new BlockError(`width ${width} is out of range`)
  let position = 8 * reader.take(Math.ceil((count * width) / 8))
  const { view } = reader
  for (let i = 0; i < count; i++) {
    const value = peek(view, position, width)
    integers[i] = (value >>> 1) ^ -(value & 1)
    position += width
  }
}

/** Reads `count` integers of a stream of `writeWide`. */
export function readWide(reader: ByteReader, integers: Float64Array, count: number): void {
  const mode = reader.byte()
  if (mode === LIST) {
    for (let i = 0; i < count; i++) integers[i] = reader.varint()
    return
  }
  if (mode !== HUFFMAN) throw new BlockError(`stream mode ${mode} is not known`)
  const mask = (1 << readTable(reader)) - 1
  const { view } = reader
  const end = 8 * reader.end
  let position = 8 * reader.at
  for (let i = 0; i < count; i++) {
    if (position > end) throw new BlockError('a stream ends too early')
    const word = view.getInt32(position >>> 3, true) >>> (position & 7)
    const entry = decodeTable[word & mask]
    position += entry & 15
    const symbol = entry >>> 4
    if (symbol < 32) {
      integers[i] = symbol
      continue
    }
    const bits = extraBits[symbol]
    if (bits > 51 || symbol >= 128) throw new BlockError('a run is not possible here')
    if (position + bits > end) throw new BlockError('a stream ends too early')
    const low = bits > 32 ? peek(view, position, 32) : peek(view, position, bits) >>> 0
    const high = bits > 32 ? peek(view, position + 32, bits - 32) : 0
    position += bits
    integers[i] = (2 + (symbol & 1)) * 2 ** bits + high * 0x100000000 + low
  }
  if (position > end) throw new BlockError('a stream ends too early')
  reader.at = (position + 7) >>> 3
}
