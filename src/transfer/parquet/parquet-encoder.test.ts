import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import type { SeriesPoints } from '../../ports/store.ts'
import { encodeParquet } from './parquet-encoder.ts'
import { GROUP_ROWS } from './row-group.ts'

async function* inChunks(series: readonly SeriesPoints[]): AsyncGenerator<readonly SeriesPoints[]> {
  for (const one of series) {
    await Promise.resolve()
    yield [one]
  }
}

async function fileOf(series: readonly SeriesPoints[]): Promise<ArrayBuffer> {
  const pieces: Buffer[] = []
  for await (const piece of encodeParquet(inChunks(series))) pieces.push(piece)
  return new Uint8Array(Buffer.concat(pieces)).buffer
}

const rise = (device: string, metric: string, count: number): SeriesPoints => ({
  ...{ device, metric },
  timestamps: Float64Array.from({ length: count }, (_, i) => 1.7e15 + i),
  values: Float64Array.from({ length: count }, (_, i) => i / 3),
})

test('a file has row groups of bounded size, with types and statistics', async () => {
  const metadata = parquetMetadata(await fileOf([rise('b', 'm', GROUP_ROWS), rise('a', 'm', 5)]))
  assert.deepEqual(
    metadata.row_groups.map(({ num_rows }) => Number(num_rows)),
    [GROUP_ROWS, 5],
  )
  assert.equal(Number(metadata.num_rows), GROUP_ROWS + 5)
  assert.deepEqual(
    metadata.schema.map(({ name, type, repetition_type, logical_type }) => [
      name,
      type,
      repetition_type,
      logical_type?.type,
    ]),
    [
      ['points', undefined, undefined, undefined],
      ['time', 'INT64', 'REQUIRED', 'TIMESTAMP'],
      ['device_id', 'BYTE_ARRAY', 'REQUIRED', 'STRING'],
      ['metric', 'BYTE_ARRAY', 'REQUIRED', 'STRING'],
      ['value', 'DOUBLE', 'OPTIONAL', undefined],
      ['text', 'BYTE_ARRAY', 'OPTIONAL', 'STRING'],
    ],
  )
  const [, last] = metadata.row_groups
  const statistics = last.columns.map(({ meta_data }) => meta_data?.statistics)
  assert.deepEqual([statistics[1]?.min_value, statistics[1]?.max_value], ['a', 'a'])
  assert.deepEqual([statistics[3]?.min_value, statistics[3]?.max_value], [-0, 4 / 3])
  assert.equal(Number(statistics[4]?.null_count), 5)
  assert.equal(last.columns[1].meta_data?.codec, 'ZSTD')
})

test('groups that follow in the same memory keep what is theirs', async () => {
  const COUNT = 4 * GROUP_ROWS + 1000
  const series = rise('d', 'm', COUNT)
  // Fewer numbers than rows, in the first group only: the third begins in its memory.
  const texts = Array.from({ length: COUNT }, (_, i) => (i < 1000 ? `t${i}` : undefined))
  const rows = await parquetReadObjects({
    file: await fileOf([{ ...series, texts }]),
    compressors: { ZSTD: input => zstdDecompressSync(input) },
  })
  assert.equal(rows.length, COUNT)
  const wrong = rows.findIndex(({ time, value, text }, i) => {
    const us = (time as Date).getTime() * 1000
    const isTimed = Math.floor(series.timestamps[i] / 1000) * 1000 === us
    return !isTimed || (i < 1000 ? text !== `t${i}` : value !== i / 3)
  })
  assert.equal(wrong, -1)
})

test('many names, single points and mixed texts come back', async () => {
  const series = Array.from({ length: 700 }, (_, i): SeriesPoints => ({
    ...{ device: `d${i % 300}`, metric: `m${i}` },
    timestamps: Float64Array.of(i, i + 1),
    values: Float64Array.of(NaN, -i),
    texts: [`t${i} 🌊`, undefined],
  }))
  const rows = await parquetReadObjects({
    file: await fileOf(series),
    compressors: { ZSTD: input => zstdDecompressSync(input) },
  })
  assert.deepEqual(
    rows.map(({ device_id, metric, value, text }) => [
      device_id,
      metric,
      value ?? null,
      text ?? null,
    ]),
    series.flatMap(({ device, metric }, i) => [
      [device, metric, null, `t${i} 🌊`],
      [device, metric, -i, null],
    ]),
  )
})

test('a file without a point is a file all the same', async () => {
  const metadata = parquetMetadata(await fileOf([]))
  assert.equal(Number(metadata.num_rows), 0)
  assert.equal(metadata.row_groups.length, 0)
})
