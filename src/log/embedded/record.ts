import { crc32 } from 'node:zlib'

/** One append in a segment: a header, then its frames. Layout in docs/formats/log.md. */
export interface RecordHeader {
  /** The offset of its first frame. */
  readonly offset: number
  /** Points appended to the log before this record, and by it. */
  readonly pointsBefore: number
  readonly points: number
  readonly frameBytes: readonly number[]
  /** Of the header and of the whole record, padding included. */
  readonly headerBytes: number
  readonly recordBytes: number
}

export const RECORD_MAGIC = 0x43455257 // "WREC"
const FIXED_BYTES = 40

export const align8 = (n: number): number => Math.ceil(n / 8) * 8

export interface NewRecord {
  readonly offset: number
  readonly pointsBefore: number
  readonly points: number
  readonly frames: readonly Uint8Array[]
}

/** @param seed the checksum of the segment's salt, so that no other segment's record is taken for this one's. */
export function encodeRecordHeader(record: NewRecord, seed: number): Buffer {
  const { frames } = record
  const header = Buffer.alloc(align8(FIXED_BYTES + 4 * frames.length))
  let bytes = header.length
  for (let i = 0; i < frames.length; i++) {
    header.writeUInt32LE(frames[i].length, FIXED_BYTES + 4 * i)
    bytes += align8(frames[i].length)
  }
  header.writeUInt32LE(RECORD_MAGIC, 0)
  writeUint64(header, record.offset, 8)
  writeUint64(header, record.pointsBefore, 16)
  header.writeUInt32LE(record.points, 24)
  header.writeUInt32LE(frames.length, 28)
  writeUint64(header, bytes, 32)
  header.writeUInt32LE(crc32(header.subarray(8), seed), 4)
  return header
}

/**
 * Reads the header at `at`.
 *
 * @returns undefined when there is none; `'more'` when `bytes` end within it.
 */
export function decodeRecordHeader(
  bytes: Buffer,
  at: number,
  seed: number,
): RecordHeader | 'more' | undefined {
  if (at + FIXED_BYTES > bytes.length) return 'more'
  if (bytes.readUInt32LE(at) !== RECORD_MAGIC) return undefined
  const count = bytes.readUInt32LE(at + 28)
  const headerBytes = align8(FIXED_BYTES + 4 * count)
  if (at + headerBytes > bytes.length) return 'more'
  const checksum = crc32(bytes.subarray(at + 8, at + headerBytes), seed)
  if (bytes.readUInt32LE(at + 4) !== checksum) return undefined
  const frameBytes: number[] = []
  for (let i = 0; i < count; i++) frameBytes.push(bytes.readUInt32LE(at + FIXED_BYTES + 4 * i))
  return {
    offset: readUint64(bytes, at + 8),
    pointsBefore: readUint64(bytes, at + 16),
    points: bytes.readUInt32LE(at + 24),
    frameBytes,
    headerBytes,
    recordBytes: readUint64(bytes, at + 32),
  }
}

export function writeUint64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, at)
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
}

export function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}
