import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { BlockError } from './block-error.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readIntegers, writeIntegers } from './integers.ts'
import { MAX_BLOCK_POINTS, MAX_TEXT_BYTES } from './limits.ts'

/** Below this a frame of zstd costs more than it can save. */
const SHORTEST_COMPRESSED = 64
const marks = new Int32Array(MAX_BLOCK_POINTS)
const lengths = new Int32Array(MAX_BLOCK_POINTS)

type Texts = readonly (string | undefined)[]

/** How many of `texts[from, to)` are there. */
export function countTexts(texts: Texts, from: number, to: number): number {
  let count = 0
  for (let i = from; i < to; i++) if (texts[i] !== undefined) count++
  return count
}

/** Writes which points are texts, how long they are, and their UTF-8. */
export function writeTexts(
  writer: ByteWriter,
  texts: Texts,
  { from, to }: { from: number; to: number },
): void {
  let count = 0
  let size = 0
  for (let i = from; i < to; i++) {
    const text = texts[i]
    marks[i - from] = text === undefined ? 0 : 1
    if (text === undefined) continue
    const length = Buffer.byteLength(text)
    lengths[count++] = length
    size += length
  }
  if (size > MAX_TEXT_BYTES) throw new BlockError(`${size} bytes of texts are too many for a block`)
  const plain = Buffer.allocUnsafe(size)
  let at = 0
  for (let i = from; i < to; i++) {
    const text = texts[i]
    if (text !== undefined) at += plain.write(text, at)
  }
  writeIntegers(writer, marks, to - from)
  writeIntegers(writer, lengths, count)
  const packed = size < SHORTEST_COMPRESSED ? plain : zstdCompressSync(plain)
  const bytes = packed.length < size ? packed : plain
  writer.varint(size)
  writer.varint(bytes.length)
  writer.reserve(writer.at + bytes.length + 16)
  writer.bytes.set(bytes, writer.at)
  writer.at += bytes.length
}

/** Reads what `writeTexts` wrote: one entry a point. */
export function readTexts(
  reader: ByteReader,
  { points, count }: { points: number; count: number },
): (string | undefined)[] {
  readIntegers(reader, marks, points)
  readIntegers(reader, lengths, count)
  const bytes = readTextBytes(reader)
  const texts = Array.from<string | undefined>({ length: points })
  let next = 0
  let at = 0
  for (let i = 0; i < points; i++) {
    if (marks[i] === 0) continue
    if (marks[i] !== 1 || next >= count)
      throw new BlockError('the texts are not where they should be')
    const end = at + lengths[next++]
    if (end < at || end > bytes.length) throw new BlockError('a text is out of bounds')
    texts[i] = bytes.toString('utf8', at, end)
    at = end
  }
  if (next !== count || at !== bytes.length) throw new BlockError('texts are missing or left over')
  return texts
}

function readTextBytes(reader: ByteReader): Buffer {
  const size = reader.bounded(MAX_TEXT_BYTES, 'text size')
  const stored = reader.bounded(size, 'stored text size')
  const at = reader.take(stored)
  const { bytes } = reader
  const section = Buffer.from(bytes.buffer, bytes.byteOffset + at, stored)
  if (stored === size) return section
  let plain: Buffer
  try {
    plain = zstdDecompressSync(section, { maxOutputLength: Math.max(size, 1) })
  } catch (error) {
    throw new BlockError('texts do not decompress', { cause: error })
  }
  if (plain.length !== size) throw new BlockError('texts decompress to another size')
  return plain
}
