import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Oracle } from '../oracle.ts'
import { checkCounts, checkRaw, checkSettled } from '../oracle-checks.ts'
import { batchOf, Random, TestLog, testSeed } from '../test-log.ts'
import { BlocksStore } from './blocks-store.ts'
import { ASIDE, PartitionFile } from './partition-file.ts'
import { blocksSetAside } from './set-aside.ts'

const DEVICES = ['d0', 'd1', 'd2', 'd3']
const ENTRIES = 300
const EVERYTHING = { start: 0, end: 2 ** 53 }
const SELECT = { tenant: 't', devices: DEVICES, metrics: [] }

/** The same entries for the same seed, here and in the process that is killed. */
function makeLog(seed: number, count: number): TestLog {
  const random = new Random(seed)
  const log = new TestLog()
  for (let i = 0; i < count; i++) {
    const points = Array.from({ length: random.between(1, 80) }, () => {
      const time = random.chance(0.8)
        ? i * 1000 + random.between(0, 1000)
        : random.between(0, 99_000)
      return { device: random.pick(DEVICES), metric: 'm', time, value: i }
    })
    log.append(batchOf('t', points))
  }
  return log
}

function open(directory: string): Promise<BlocksStore> {
  return BlocksStore.open({
    directory,
    headBytes: 16_000,
    blockPoints: 16,
    partitionMs: 40,
    transactionBlocks: 3,
  })
}

/** The process that is killed: replays, goes on writing, flushes now and then. */
async function write(directory: string, logSeed: number): Promise<void> {
  const store = await open(directory)
  const entries = makeLog(logSeed, ENTRIES).from(await store.positions())
  process.stdout.write('open\n')
  // Only so far that several kills are needed.
  for (const [i, entry] of entries.slice(0, ENTRIES / 4).entries()) {
    await store.write([entry])
    if (i % 7 === 3) void store.flush()
  }
  await store.flush()
  if (entries.length > ENTRIES / 4) process.kill(process.pid, 'SIGKILL')
  await store.close()
}

const [, self, role, folder, childSeed] = process.argv
if (role === 'write' && self === fileURLToPath(import.meta.url)) {
  await write(folder, Number(childSeed))
  process.exit()
}

function newFolder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'weir-recovery-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

const seed = testSeed()
test(`a store killed at any moment loses nothing and counts nothing twice, WEIR_SEED=${seed}`, async t => {
  const directory = newFolder(t)
  const random = new Random(seed)
  let kills = 0
  while (await runAndKill(directory, kills < 20 ? random.between(0, 300) : 600_000)) kills++
  t.diagnostic(`${kills} kills`)
  const log = makeLog(seed, ENTRIES)
  const store = await open(directory)
  t.after(() => store.close())
  const oracle = new Oracle()
  for (const { batch } of log.entries) oracle.write(batch)
  await store.write(log.from(await store.positions()))
  const subject = { store, oracle }
  await checkCounts(subject)
  await checkRaw(subject, { select: SELECT, ...EVERYTHING }, { limit: 1e6, order: 'asc' })
  await store.flush()
  await checkSettled(subject)
})

/** Runs `write` and kills it so long after it has opened the store; whether it was killed. */
async function runAndKill(directory: string, afterMs: number): Promise<boolean> {
  const file = fileURLToPath(import.meta.url)
  const child = spawn(process.execPath, [file, 'write', directory, `${seed}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  })
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs)
  await exited
  clearTimeout(timer)
  if (child.signalCode === null) assert.equal(child.exitCode, 0)
  return child.signalCode !== null
}

test('when the thread of the store dies, every call is refused and stats say why', async t => {
  const store = await open(newFolder(t))
  const log = makeLog(1, 3)
  await store.write(log.entries)
  await store.stats()
  const select = SELECT
  const ended = store.abandon()
  // Asked of a thread that will never answer.
  const pending = store.read({ select, range: EVERYTHING, limit: 1, order: 'asc' })
  await assert.rejects(pending, { kind: 'closed' })
  await ended
  await assert.rejects(store.write(log.entries), { kind: 'closed' })
  await assert.rejects(store.flush(), { kind: 'closed' })
  const { failure, stored, unsettled } = await store.stats()
  assert.match(failure ?? '', /thread/)
  assert.ok(stored + unsettled > 0, 'the last known counts')
  await store.close()
})

/** A folder with a partition of four series, one of which has a damaged block. */
async function damagedFolder(t: TestContext, damage: (path: string) => void): Promise<string> {
  const directory = newFolder(t)
  const store = await BlocksStore.open({ directory })
  const random = new Random(3)
  const points = DEVICES.flatMap(device =>
    Array.from({ length: 400 }, (_, i) => ({ device, metric: 'm', time: i, value: random.next() })),
  )
  await store.write([new TestLog().append(batchOf('t', points))])
  await store.close()
  damage(join(directory, 'partitions', '1970-01-01.blocks'))
  return directory
}

for (const [what, damage] of [
  ['content', damageSecondBlock],
  ['header', damageSecondHeader],
] as const) {
  test(`a block with a damaged ${what} is named by the read that meets it, then set aside`, async t => {
    const directory = await damagedFolder(t, damage)
    let store = await BlocksStore.open({ directory })
    t.after(() => store.close())
    const before = (await store.stats()).stored
    const request = { select: SELECT, range: EVERYTHING, limit: 1e6, order: 'asc' } as const
    const named = { kind: 'corrupt', message: /t \/ d\d \/ m in .*1970-01-01.blocks is damaged/ }
    await assert.rejects(store.read(request), named)
    await store.flush()
    const lengths = (await store.read(request)).map(({ timestamps }) => timestamps.length)
    assert.deepEqual(lengths, [400, 400, 400], 'the others')
    const { damagedBlocks, stored, failure } = await store.stats()
    assert.deepEqual([damagedBlocks, stored, failure], [1, before, undefined])
    await store.close()
    store = await BlocksStore.open({ directory })
    assert.equal((await store.stats()).damagedBlocks, 1, 'also after a restart')
    const [block, ...others] = await Array.fromAsync(blocksSetAside(directory))
    assert.deepEqual([others.length, block.timeUs], [0, 0])
    assert.deepEqual([block.series?.tenant, block.series?.metric], ['t', 'm'])
    assert.equal(block.header?.points, what === 'content' ? 400 : undefined)
    assert.ok(block.problem !== undefined && block.bytes.length > 1000)
  })

  test(`a flush that meets a damaged ${what} sets the block aside and goes on`, async t => {
    const directory = await damagedFolder(t, damage)
    const store = await BlocksStore.open({ directory })
    t.after(() => store.close())
    const log = new TestLog()
    log.append(batchOf('t', [{ device: 'd0', metric: 'm', time: 0, value: 0 }]))
    // Late points: the flush has to read what they fall into.
    const late = DEVICES.map(device => ({ device, metric: 'm', time: 200, value: -1 }))
    await store.write([log.append(batchOf('t', late))])
    await store.flush()
    const { damagedBlocks, failure } = await store.stats()
    assert.deepEqual([damagedBlocks, failure], [1, undefined])
    const request = { select: SELECT, range: EVERYTHING, limit: 1e6, order: 'asc' } as const
    const series = await store.read(request)
    const lengths = series.map(({ timestamps }) => timestamps.length)
    assert.deepEqual(
      lengths.sort((a, b) => a - b),
      [1, 400, 400, 400],
    )
    for (const { values } of series) assert.ok(values.includes(-1))
    assert.equal(await keptAside(directory), 1)
  })
}

/** How many blocks a closed or idle partition keeps aside. */
async function keptAside(directory: string): Promise<number> {
  const file = new PartitionFile(join(directory, 'partitions', '1970-01-01.blocks'))
  let count = 0
  for (let series = 0; series < DEVICES.length; series++) {
    for (const { block } of file.forward(series + ASIDE, 0, 2 ** 53)) {
      assert.ok(block.length > 1000)
      count++
    }
  }
  await file.close()
  return count
}

test('a damaged block fails the reads that need it, and no others', async t => {
  const directory = await damagedFolder(t, damageSecondBlock)
  const store = await BlocksStore.open({ directory })
  t.after(() => store.close())
  const outcomes = DEVICES.map(async device => {
    const select = { tenant: 't', devices: [device], metrics: [] }
    const read = store.read({ select, range: EVERYTHING, limit: 1e6, order: 'asc' })
    return read.then(
      ([{ timestamps }]) => timestamps.length,
      () => 'failed',
    )
  })
  const failed = (await Promise.all(outcomes)).filter(outcome => outcome !== 400)
  assert.deepEqual(failed, ['failed'])
  await store.close()
})

/** Changes one byte in the middle of a block: its values are full doubles, so the block is long. */
function damageSecondBlock(path: string): void {
  damageSecond(path, 700)
}

function damageSecondHeader(path: string): void {
  damageSecond(path, 1)
}

function damageSecond(path: string, at: number): void {
  const bytes = readFileSync(path)
  // The front of a block: magic, version, then flags; the second of the same ones in the file.
  const front = bytes.indexOf(Buffer.from([0x57, 1]), 8192)
  const second = bytes.indexOf(bytes.subarray(front, front + 5), front + 1000)
  assert.ok(second > 0)
  bytes[second + at] ^= 0xff
  writeFileSync(path, bytes)
}

test('a folder that cannot be opened is an error of open, not of the process', async t => {
  const directory = newFolder(t)
  const path = join(directory, 'file')
  openSync(path, 'w')
  await assert.rejects(BlocksStore.open({ directory: path }), /EEXIST|ENOTDIR|not a directory/)
  assert.deepEqual(readdirSync(directory), ['file'])
})
