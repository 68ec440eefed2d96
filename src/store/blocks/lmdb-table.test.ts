import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { smallDisk } from '../../../test/fixtures/faulty-disk.ts'
import { Random, testSeed } from '../test-log.ts'
import { emptyFile, mostNewPages, openTable, TableWriter } from './lmdb-table.ts'
import type { KeyEncoder, TableStats } from './lmdb-table.ts'

const keyEncoder: KeyEncoder<number> = {
  writeKey: (key, target, at) => target.writeUInt32BE(key, at),
  readKey: (source, at) => source.readUInt32BE(at),
}

function openIn(directory: string, name: string) {
  const path = join(directory, name)
  const table = openTable(path, keyEncoder, emptyFile(join(directory, 'empty')))
  return { path, table, writer: new TableWriter(path, table) }
}

function newFolder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'weir-table-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

const endOf = ({ lastPageNumber, pageSize }: TableStats): number => (lastPageNumber + 1) * pageSize

const seed = testSeed()
test(`a transaction never needs more room than was reserved for it, WEIR_SEED=${seed}`, async t => {
  const random = new Random(seed)
  const { path, table, writer } = openIn(newFolder(t), 'table')
  for (let i = 0; i < 150; i++) {
    const longest = random.pick([10, 300, 2000, 3000, 20_000])
    const from = random.between(0, 5000)
    const isRow = random.chance(0.5)
    const changes = Array.from({ length: random.pick([1, 3, 50, 400]) }, (_, n) => ({
      key: isRow ? from + n : random.between(0, 5000),
      value: random.chance(0.2) ? undefined : Buffer.alloc(random.between(1, longest), i),
    }))
    const values = changes.map(({ value }) => value)
    const before = table.getStats()
    const reserved = endOf(before) + mostNewPages(before, values) * before.pageSize
    await writer.commit({
      values,
      action() {
        for (const { key, value } of changes) {
          if (value === undefined) table.remove(key)
          else table.put(key, value)
        }
      },
    })
    const end = endOf(table.getStats())
    assert.ok(end <= reserved, `transaction ${i}: ${end} > ${reserved}`)
    if (random.chance(0.3)) {
      await writer.release()
      assert.equal(statSync(path).size, end)
    }
    const { blocks, size } = statSync(path)
    assert.ok(blocks * 512 >= size, `transaction ${i} has left a hole`)
  }
  await table.close()
})

test('on a full disk a table refuses, and goes on when there is room', async t => {
  const disk = await smallDisk(4 << 20)
  if (typeof disk === 'string') return t.skip(`optional: ${disk}`)
  t.after(() => disk.remove())
  const { table, writer } = openIn(disk.directory, 'table')
  const filler = openIn(disk.directory, 'filler')
  const put = (at: typeof writer, key: number, value: Buffer): Promise<void> => {
    const rows = at === writer ? table : filler.table
    return at.commit({ values: [value], action: () => rows.put(key, value) })
  }
  await put(writer, 1, Buffer.alloc(1000, 1))
  const isFull = { kind: 'retryable', code: 'disk_full' } as const
  let key = 0
  await assert.rejects(async () => {
    for (;;) await put(filler.writer, key++, Buffer.alloc(50_000))
  }, isFull)
  for (let i = 0; i < 3; i++) {
    await assert.rejects(put(writer, 2, Buffer.alloc(1_500_000, 2)), isFull)
    assert.equal(table.get(1)?.length, 1000)
    assert.equal(table.get(2), undefined)
  }
  const rest = join(disk.directory, 'rest')
  assert.throws(
    () => {
      for (;;) appendFileSync(rest, Buffer.alloc(1024))
    },
    { code: 'ENOSPC' },
  )
  // Neither a new file's lock nor its pages are LMDB's to make there.
  assert.throws(() => openIn(disk.directory, 'new'), isFull)
  assert.deepEqual(
    readdirSync(disk.directory).filter(name => name.startsWith('new.')),
    [],
  )
  rmSync(rest)
  await filler.table.close()
  rmSync(filler.path)
  await put(writer, 2, Buffer.alloc(1_500_000, 2))
  assert.equal(table.get(2)?.length, 1_500_000)
  await table.close()
})
