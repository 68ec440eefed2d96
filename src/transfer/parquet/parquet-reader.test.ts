import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { CODEC, fileMetadata, rowGroupMetadata } from './file-metadata.ts'
import { openParquet } from './parquet-reader.ts'

test('a group that is small in the file and large in memory is refused before it is read', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-parquet-'))
  t.after(() => rmSync(folder, { recursive: true }))
  // Runs of one value: a page of ten bytes is a column of any length.
  const openOne = async (rows: number): Promise<number> => {
    const column = {
      ...{ offset: 4, dataOffset: 4, hasDictionary: false, encodings: [0, 3], codec: CODEC.none },
      ...{
        rows,
        rawBytes: 10,
        bytes: 10,
        statistics: { nulls: 0 },
      },
    }
    const columns = Array.from({ length: 5 }, () => column)
    const footer = fileMetadata(rows, [rowGroupMetadata(columns, 0)])
    const length = Buffer.alloc(4)
    length.writeUInt32LE(footer.length)
    const path = join(folder, `${rows}.parquet`)
    writeFileSync(path, Buffer.concat([Buffer.from('PAR1'), footer, length, Buffer.from('PAR1')]))
    const handle = await open(path)
    try {
      return (await openParquet(handle, {})).rows
    } finally {
      await handle.close()
    }
  }
  assert.equal(await openOne(13_000_000), 13_000_000)
  await assert.rejects(openOne(14_000_000), /14000000 rows of 5 columns in 50 bytes; write smaller/)
})
