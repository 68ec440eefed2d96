import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { readRecordFile, writeRecordFile } from './record-file.ts'

function placeOf(context: TestContext): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'weir-records-'))
  context.after(() => rmSync(folder, { recursive: true }))
  return { folder, path: join(folder, 'state') }
}

const RECORDS = [Buffer.from('first'), Buffer.alloc(0), Buffer.alloc(100_000, 7)]

test('records come back as they were written, and nothing else is left', async context => {
  const { folder, path } = placeOf(context)
  assert.equal(await readRecordFile(path), undefined)
  await writeRecordFile(path, [Buffer.from('old')])
  await writeRecordFile(path, RECORDS)
  const read = await readRecordFile(path)
  assert.deepEqual(
    read?.map(record => Buffer.from(record)),
    RECORDS,
  )
  assert.deepEqual(readdirSync(folder), ['state'])
})

test('a file that cannot be written whole leaves the one before', async context => {
  const { folder, path } = placeOf(context)
  await writeRecordFile(path, RECORDS)
  function* broken(): Iterable<Uint8Array> {
    yield Buffer.from('new')
    throw new Error('in the middle')
  }
  await assert.rejects(writeRecordFile(path, broken()), /in the middle/)
  assert.equal((await readRecordFile(path))?.length, 3)
  assert.deepEqual(readdirSync(folder), ['state'])
})

test('a file is whole where a system call writes less than it was given', async context => {
  const { folder, path } = placeOf(context)
  const file = await open(join(folder, 'any'), 'w')
  const handle = Object.getPrototypeOf(file) as FileHandle
  await file.close()
  // As near the end of a disk, from which something is removed at that moment.
  context.mock.method(handle, 'writev', function (this: FileHandle, [first]: Uint8Array[]) {
    return this.write(first)
  } as unknown as FileHandle['writev'])
  await writeRecordFile(path, RECORDS)
  assert.equal((await readRecordFile(path))?.length, RECORDS.length)
})

test('whatever byte is changed, or where ever the file ends, it is refused', async context => {
  const { path } = placeOf(context)
  await writeRecordFile(path, [Buffer.from('first'), Buffer.from('second')])
  const good = readFileSync(path)
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good)
    bad[at] ^= 0x20
    writeFileSync(path, bad)
    await assert.rejects(readRecordFile(path), Error, `byte ${at}`)
  }
  for (let end = 0; end < good.length; end++) {
    writeFileSync(path, good.subarray(0, end))
    const read = await readRecordFile(path).catch(() => 'refused')
    // Cut between records it is a shorter file: the reader of the records misses the rest.
    if (read !== 'refused') assert.ok((read?.length ?? 0) < 2, `cut at ${end}`)
  }
})
