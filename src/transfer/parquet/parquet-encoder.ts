import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import type { SeriesPoints } from '../../ports/store.ts'
import { columnPages, ENCODING } from './column-pages.ts'
import type { ColumnPages } from './column-pages.ts'
import { CODEC, fileMetadata, PAGE_TYPE, pageHeader, rowGroupMetadata } from './file-metadata.ts'
import type { WrittenColumn } from './file-metadata.ts'
import { RowGroup } from './row-group.ts'

const MAGIC = Buffer.from('PAR1')
const zstd = promisify(zstdCompress)
/** The fastest: numbers do not get much smaller with more work. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/**
 * The long layout as Parquet: time TIMESTAMP(MICROS, UTC), device_id and metric by dictionary, value
 * DOUBLE, text UTF8; see docs/formats/parquet.md. A row group is compressed on other threads while
 * the next one fills, so two are in memory. Without its footer, which comes last, a file is no
 * Parquet: one that was cut is not mistaken for a whole one.
 */
export async function* encodeParquet(
  chunks: AsyncIterable<readonly SeriesPoints[]>,
): AsyncGenerator<Buffer, void, void> {
  const file = new GroupWriter()
  let group = new RowGroup()
  let before: RowGroup | undefined
  let writing: Promise<Buffer[]> | undefined
  for await (const chunk of chunks) {
    for (const points of chunk) {
      for (let from = 0; from < points.timestamps.length;) {
        from = group.add(points, from)
        if (!group.isFull) continue
        if (writing !== undefined) yield* await writing
        writing = file.write(group)
        // Awaited with the next group; until then a failure is not unhandled.
        writing.catch(() => undefined)
        const next = new RowGroup(before)
        before = group
        group = next
      }
    }
  }
  if (writing !== undefined) yield* await writing
  if (group.rows > 0) yield* await file.write(group)
  yield file.footer()
}

class GroupWriter {
  #offset = MAGIC.length
  #rows = 0
  readonly #groups: Buffer[] = []

  /** Encodes and compresses a group, whose memory is free when this resolves. One at a time. */
  async write(group: RowGroup): Promise<Buffer[]> {
    const chunks = await Promise.all(
      columnPages(group).map(column => writeChunk(column, group.rows)),
    )
    const columns: WrittenColumn[] = []
    for (const { place, bytes } of chunks) {
      const offset = this.#offset
      columns.push({ ...place, offset, dataOffset: offset + place.dataOffset })
      for (const part of bytes) this.#offset += part.length
    }
    this.#groups.push(rowGroupMetadata(columns, this.#groups.length))
    this.#rows += group.rows
    const parts = chunks.flatMap(({ bytes }) => bytes)
    return this.#groups.length === 1 ? [MAGIC, ...parts] : parts
  }

  footer(): Buffer {
    const metadata = fileMetadata(this.#rows, this.#groups)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(metadata.length)
    const begin = this.#groups.length === 0 ? [MAGIC] : []
    return Buffer.concat([...begin, metadata, length, MAGIC])
  }
}

interface WrittenChunk {
  readonly bytes: Buffer[]
  /** With offsets from the chunk's begin. */
  readonly place: WrittenColumn
}

async function writeChunk(column: ColumnPages, rows: number): Promise<WrittenChunk> {
  const { dictionary, data, encoding, statistics } = column
  const pages = []
  if (dictionary !== undefined) {
    const { bytes, entries } = dictionary
    pages.push({
      type: PAGE_TYPE.dictionary,
      raw: bytes,
      values: entries,
      encoding: ENCODING.plain,
    })
  }
  pages.push({ type: PAGE_TYPE.data, raw: data, values: rows, encoding })
  const bytes: Buffer[] = []
  let rawBytes = 0
  let written = 0
  let dataOffset = 0
  for (const { type, raw, values, encoding: pageEncoding } of pages) {
    const packed = await zstd(raw, LEVEL)
    const header = pageHeader({
      ...{ type, values, encoding: pageEncoding },
      ...{ rawBytes: raw.length, bytes: packed.length },
    })
    bytes.push(header, packed)
    dataOffset = written
    written += header.length + packed.length
    rawBytes += header.length + raw.length
  }
  const encodings: number[] = [ENCODING.plain, ENCODING.rle]
  if (dictionary !== undefined) encodings.push(ENCODING.rleDictionary)
  return {
    bytes,
    place: {
      ...{ offset: 0, dataOffset, hasDictionary: dictionary !== undefined, encodings },
      ...{ codec: CODEC.zstd, rows, rawBytes, bytes: written, statistics },
    },
  }
}
