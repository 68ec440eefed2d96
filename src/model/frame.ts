import { crc32 } from 'node:zlib'
import type { Batch } from './batch.ts'
import type { Dictionaries, Dictionary } from './dictionary.ts'

/**
 * The binary frame: one batch in bytes, little-endian, columns aligned to 8 so that they are read
 * in place. Layout and rules are in docs/formats/frame.md. It is what every log stores, what
 * threads exchange and what gateways post to `/api/v1/telemetry/binary`.
 */
export const FRAME_VERSION = 1
export const FRAME_HEADER_BYTES = 40
const FLAG_TEXTS = 1

/** The bytes are not a frame; the message says what is wrong and where. */
export class FrameError extends Error {
  override name = 'FrameError'
}

const align8 = (n: number): number => (n + 7) & ~7

export function encodeFrame(batch: Batch): Uint8Array {
  const { tenant, devices, metrics, texts } = batch
  const points = batch.timestamps.length
  const series = batch.seriesDevice.length
  const dictionary = [tenant, ...devices, ...metrics].join('\0')
  const dictionaryBytes = Buffer.byteLength(dictionary)
  const textBytes = texts === undefined ? undefined : encodeTexts(texts)
  const columnsAt = align8(FRAME_HEADER_BYTES + dictionaryBytes)
  const timesAt = columnsAt + align8(8 * series)
  const indexAt = timesAt + 16 * points
  const textsAt = indexAt + align8(4 * points)
  const length = textsAt + (textBytes === undefined ? 0 : align8(textBytes.length))

  const memory = new ArrayBuffer(length)
  const bytes = Buffer.from(memory)
  bytes.writeUInt32LE(length, 0)
  bytes.writeUInt8(FRAME_VERSION, 8)
  bytes.writeUInt8(textBytes === undefined ? 0 : FLAG_TEXTS, 9)
  bytes.writeUInt32LE(devices.length, 12)
  bytes.writeUInt32LE(metrics.length, 16)
  bytes.writeUInt32LE(series, 20)
  bytes.writeUInt32LE(points, 24)
  bytes.writeUInt32LE(dictionaryBytes, 28)
  bytes.writeUInt32LE(textBytes === undefined ? 0 : textBytes.length, 32)
  bytes.write(dictionary, FRAME_HEADER_BYTES)
  new Uint32Array(memory, columnsAt, series).set(batch.seriesDevice)
  new Uint32Array(memory, columnsAt + 4 * series, series).set(batch.seriesMetric)
  new Float64Array(memory, timesAt, points).set(batch.timestamps)
  new Float64Array(memory, timesAt + 8 * points, points).set(batch.values)
  new Uint32Array(memory, indexAt, points).set(batch.seriesIndex)
  if (textBytes !== undefined) bytes.set(textBytes, textsAt)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

/** How many points a well-formed frame carries, from its header alone. */
export function framePoints(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(24, true)
}

/**
 * Decodes one frame. The columns are views into `frame` where its memory is 8-aligned (copies
 * otherwise), so the caller must not change it afterwards. Names that come again are decoded once
 * where there are `dictionaries` to keep them.
 *
 * @throws FrameError when length, checksum, version or structure are wrong. Values and timestamps
 *   are not judged here: a frame from outside is checked by `ingest`.
 */
export function decodeFrame(frame: Uint8Array, dictionaries?: Dictionaries): Batch {
  const bytes = aligned(frame)
  const header = readHeader(bytes)
  const { points: N, timesAt, indexAt, textsAt, textBytes } = header
  const dictionary =
    dictionaries === undefined
      ? decodeDictionary(bytes, header)
      : dictionaries.of(bytes.subarray(FRAME_HEADER_BYTES, timesAt), header, () =>
          decodeDictionary(bytes, header),
        )
  const memory = bytes.buffer as ArrayBuffer
  const base = bytes.byteOffset
  const { tenant, devices, metrics, seriesDevice, seriesMetric } = dictionary
  const batch = {
    ...{ tenant, devices, metrics, seriesDevice, seriesMetric },
    seriesIndex: new Uint32Array(memory, base + indexAt, N),
    timestamps: new Float64Array(memory, base + timesAt, N),
    values: new Float64Array(memory, base + timesAt + 8 * N, N),
  }
  mustStayBelow(batch.seriesIndex, header.series, 'seriesIndex')
  if (textBytes === 0) return batch
  return { ...batch, texts: decodeTexts(bytes.subarray(textsAt, textsAt + textBytes), N) }
}

function decodeDictionary(bytes: Buffer, header: Header): Dictionary {
  const { devices: D, metrics: M, series: S, columnsAt, dictionaryBytes } = header
  const text = bytes.toString('utf8', FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + dictionaryBytes)
  const names = text.split('\0')
  if (names.length !== 1 + D + M) {
    throw new FrameError(`dictionary holds ${names.length} names, header says ${1 + D + M}`)
  }
  const memory = bytes.buffer as ArrayBuffer
  const base = bytes.byteOffset
  const dictionary = {
    tenant: names[0],
    devices: names.slice(1, 1 + D),
    metrics: names.slice(1 + D),
    seriesDevice: new Uint32Array(memory, base + columnsAt, S),
    seriesMetric: new Uint32Array(memory, base + columnsAt + 4 * S, S),
  }
  mustStayBelow(dictionary.seriesDevice, D, 'seriesDevice')
  mustStayBelow(dictionary.seriesMetric, M, 'seriesMetric')
  return dictionary
}

interface Header {
  devices: number
  metrics: number
  series: number
  points: number
  dictionaryBytes: number
  textBytes: number
  columnsAt: number
  timesAt: number
  indexAt: number
  textsAt: number
}

function readHeader(bytes: Buffer): Header {
  if (bytes.length < FRAME_HEADER_BYTES) {
    throw new FrameError(`${bytes.length} bytes are fewer than a header (${FRAME_HEADER_BYTES})`)
  }
  const length = bytes.readUInt32LE(0)
  if (length !== bytes.length) {
    throw new FrameError(`length field says ${length}, the frame has ${bytes.length} bytes`)
  }
  const version = bytes.readUInt8(8)
  if (version !== FRAME_VERSION) throw new FrameError(`version ${version} is not known`)
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(8))) throw new FrameError('checksum differs')
  const series = bytes.readUInt32LE(20)
  const points = bytes.readUInt32LE(24)
  const dictionaryBytes = bytes.readUInt32LE(28)
  const textBytes = bytes.readUInt32LE(32)
  const columnsAt = align8sum(FRAME_HEADER_BYTES, dictionaryBytes)
  const timesAt = align8sum(columnsAt, 8 * series)
  const indexAt = timesAt + 16 * points
  const textsAt = align8sum(indexAt, 4 * points)
  if (align8sum(textsAt, textBytes) !== length) {
    throw new FrameError('columns and header do not add up to the length')
  }
  const devices = bytes.readUInt32LE(12)
  const metrics = bytes.readUInt32LE(16)
  return {
    ...{ devices, metrics, series, points, dictionaryBytes, textBytes },
    ...{ columnsAt, timesAt, indexAt, textsAt },
  }
}

/** Like align8, but safe for header fields whose sum exceeds 32 bits. */
function align8sum(at: number, bytes: number): number {
  return Math.ceil((at + bytes) / 8) * 8
}

function mustStayBelow(column: Uint32Array, bound: number, name: string): void {
  let highest = -1
  for (let i = 0; i < column.length; i++) if (column[i] > highest) highest = column[i]
  if (highest >= bound) throw new FrameError(`${name} names place ${highest} of ${bound}`)
}

function aligned(frame: Uint8Array): Buffer {
  if ((frame.byteOffset & 7) === 0) {
    return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
  }
  const copy = Buffer.from(new ArrayBuffer(frame.byteLength))
  copy.set(frame)
  return copy
}

/** u32 count, then per text point u32 point and u32 byte length, then the UTF-8 bytes. */
function encodeTexts(texts: readonly (string | undefined)[]): Uint8Array {
  let count = 0
  let size = 0
  for (const text of texts) {
    if (text === undefined) continue
    count++
    size += Buffer.byteLength(text)
  }
  const bytes = Buffer.allocUnsafe(4 + 8 * count + size)
  bytes.writeUInt32LE(count, 0)
  let entry = 4
  let at = 4 + 8 * count
  for (let point = 0; point < texts.length; point++) {
    const text = texts[point]
    if (text === undefined) continue
    const written = bytes.write(text, at)
    bytes.writeUInt32LE(point, entry)
    bytes.writeUInt32LE(written, entry + 4)
    entry += 8
    at += written
  }
  return bytes
}

function decodeTexts(bytes: Buffer, points: number): (string | undefined)[] {
  const texts = Array.from<string | undefined>({ length: points })
  const count = bytes.length < 4 ? Infinity : bytes.readUInt32LE(0)
  let at = 4 + 8 * count
  if (at > bytes.length) throw new FrameError('text section is shorter than its count says')
  for (let i = 0; i < count; i++) {
    const point = bytes.readUInt32LE(4 + 8 * i)
    const end = at + bytes.readUInt32LE(8 + 8 * i)
    if (point >= points || end > bytes.length) throw new FrameError(`text ${i} is out of bounds`)
    texts[point] = bytes.toString('utf8', at, end)
    at = end
  }
  if (at !== bytes.length) throw new FrameError('text section is longer than its texts')
  return texts
}
