/**
 * Columns in PostgreSQL's binary formats: rows of COPY, arrays as parameters, arrays in answers. All integers are
 * big-endian; a `timestamptz` is microseconds since 2000. Made and read in one pass, without an object a point.
 */

/** Points as columns; `text` points have NaN for a value. */
export interface Columns {
  readonly ids: Float64Array
  readonly timestamps: Float64Array
  readonly values: Float64Array
  readonly texts?: readonly (string | undefined)[] | undefined
}

const EPOCH_2000_US = 946_684_800_000_000
const TWO_32 = 2 ** 32
const INT8 = 20
const TEXT = 25
const FLOAT8 = 701
const TIMESTAMPTZ = 1184
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const ARRAY_HEADER_BYTES = 20
/** Marks a text that had to be written in another way than it is. */
const ESCAPED = '\u0001'

/** All rows of a COPY into (series_id, time, value, text). */
export function copyRows({ ids, timestamps, values, texts }: Columns): Buffer {
  const count = ids.length
  const encoded = texts?.map(text =>
    text === undefined ? undefined : Buffer.from(plainText(text)),
  )
  const textBytes = encoded?.reduce((sum, text) => sum + (text?.length ?? 0), 0) ?? 0
  const bytes = Buffer.allocUnsafe(SIGNATURE.length + 42 * count + textBytes + 2)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = SIGNATURE.copy(bytes)
  for (let i = 0; i < count; i++) {
    view.setInt16(at, 4)
    view.setInt32(at + 2, 8)
    setInt8(view, at + 6, ids[i])
    view.setInt32(at + 14, 8)
    setInt8(view, at + 18, timestamps[i] - EPOCH_2000_US)
    const text = encoded?.[i]
    if (text === undefined) {
      view.setInt32(at + 26, 8)
      view.setFloat64(at + 30, values[i])
      view.setInt32(at + 38, -1)
      at += 42
    } else {
      view.setInt32(at + 26, -1)
      view.setInt32(at + 30, text.length)
      at += 34 + text.copy(bytes, at + 34)
    }
  }
  view.setInt16(at, -1)
  return bytes.subarray(0, at + 2)
}

export function int8Array(numbers: Float64Array): Buffer {
  const { bytes, view } = arrayOf(INT8, numbers.length, 12 * numbers.length)
  for (let i = 0, at = ARRAY_HEADER_BYTES; i < numbers.length; i++, at += 12) {
    view.setInt32(at, 8)
    setInt8(view, at + 4, numbers[i])
  }
  return bytes
}

export function timeArray(timestamps: Float64Array): Buffer {
  const { bytes, view } = arrayOf(TIMESTAMPTZ, timestamps.length, 12 * timestamps.length)
  for (let i = 0, at = ARRAY_HEADER_BYTES; i < timestamps.length; i++, at += 12) {
    view.setInt32(at, 8)
    setInt8(view, at + 4, timestamps[i] - EPOCH_2000_US)
  }
  return bytes
}

/** NULL where the point is text. */
export function valueArray({ values, texts }: Pick<Columns, 'values' | 'texts'>): Buffer {
  const { bytes, view } = arrayOf(FLOAT8, values.length, 12 * values.length)
  let at = ARRAY_HEADER_BYTES
  for (let i = 0; i < values.length; i++) {
    if (texts?.[i] === undefined) {
      view.setInt32(at, 8)
      view.setFloat64(at + 4, values[i])
      at += 12
    } else {
      view.setInt32(at, -1)
      at += 4
    }
  }
  return bytes.subarray(0, at)
}

export function textArray(count: number, texts: Columns['texts']): Buffer {
  const encoded = texts?.map(text =>
    text === undefined ? undefined : Buffer.from(plainText(text)),
  )
  const textBytes = encoded?.reduce((sum, text) => sum + (text?.length ?? 0), 0) ?? 0
  const { bytes, view } = arrayOf(TEXT, count, 4 * count + textBytes)
  let at = ARRAY_HEADER_BYTES
  for (let i = 0; i < count; i++) {
    const text = encoded?.[i]
    view.setInt32(at, text === undefined ? -1 : text.length)
    at += 4
    if (text !== undefined) at += text.copy(bytes, at)
  }
  return bytes
}

export function readTime(bytes: Buffer, at = 0): number {
  return bytes.readInt32BE(at) * TWO_32 + bytes.readUInt32BE(at + 4) + EPOCH_2000_US
}

export function readInt8(bytes: Buffer, at = 0): number {
  return bytes.readInt32BE(at) * TWO_32 + bytes.readUInt32BE(at + 4)
}

export function readTimes(array: Buffer): Float64Array {
  const { view, count } = contentsOf(array)
  const times = new Float64Array(count)
  for (let i = 0, at = ARRAY_HEADER_BYTES + 4; i < count; i++, at += 12) {
    times[i] = view.getInt32(at) * TWO_32 + view.getUint32(at + 4) + EPOCH_2000_US
  }
  return times
}

/** NaN where it is NULL. */
export function readFloats(array: Buffer): Float64Array {
  const { view, count } = contentsOf(array)
  const values = new Float64Array(count)
  let at = ARRAY_HEADER_BYTES
  for (let i = 0; i < count; i++) {
    if (view.getInt32(at) === 8) {
      values[i] = view.getFloat64(at + 4)
      at += 12
    } else {
      values[i] = NaN
      at += 4
    }
  }
  return values
}

export function readTexts(array: Buffer): (string | undefined)[] {
  const { view, count } = contentsOf(array)
  const texts = new Array<string | undefined>(count)
  let at = ARRAY_HEADER_BYTES
  for (let i = 0; i < count; i++) {
    const length = view.getInt32(at)
    at += 4
    if (length === -1) {
      texts[i] = undefined
      continue
    }
    texts[i] = readText(array.subarray(at, at + length))
    at += length
  }
  return texts
}

export function readText(bytes: Buffer): string {
  return keptText(bytes.toString('utf8'))
}

/** The text that was kept as this one. */
export function keptText(text: string): string {
  if (!text.startsWith(ESCAPED)) return text
  return text.slice(1).replaceAll(/\\[\\0]/g, pair => (pair === '\\0' ? '\0' : '\\'))
}

/** PostgreSQL's `text` holds anything but NUL. */
function plainText(text: string): string {
  if (!text.includes('\0') && !text.startsWith(ESCAPED)) return text
  return ESCAPED + text.replaceAll('\\', '\\\\').replaceAll('\0', '\\0')
}

function setInt8(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / TWO_32)
  view.setInt32(at, high)
  view.setUint32(at + 4, value - high * TWO_32)
}

function arrayOf(
  type: number,
  count: number,
  contentBytes: number,
): { bytes: Buffer; view: DataView } {
  const bytes = Buffer.allocUnsafe(ARRAY_HEADER_BYTES + contentBytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setInt32(0, 1)
  view.setInt32(4, type === INT8 || type === TIMESTAMPTZ ? 0 : 1)
  view.setInt32(8, type)
  view.setInt32(12, count)
  view.setInt32(16, 1)
  return { bytes, view }
}

function contentsOf(array: Buffer): { view: DataView; count: number } {
  const view = new DataView(array.buffer, array.byteOffset, array.byteLength)
  return { view, count: array.byteLength < ARRAY_HEADER_BYTES ? 0 : view.getInt32(12) }
}
