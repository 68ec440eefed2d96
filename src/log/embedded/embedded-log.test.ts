import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeFrame } from '../../model/frame.ts'
import { WeirError } from '../../ports/errors.ts'
import type { LogEntry } from '../../ports/log.ts'
import { appendContract } from '../append.contract.ts'
import { logContract, recorder, tagOf, taggedEntry, type LogHarness } from '../log.contract.ts'
import { EmbeddedLog } from './embedded-log.ts'
import { readUint64, RECORD_MAGIC } from './record.ts'

const segmentBytes = 40_000

const newDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'weir-log-'))

for (const [name, options] of [
  ['embedded', {}],
  ['embedded, with small segments', { segmentBytes }],
] as const) {
  const harness = async (): Promise<LogHarness> => {
    const directory = await newDirectory()
    return {
      open: () => EmbeddedLog.open({ directory, ...options }),
      remove: () => rm(directory, { recursive: true }),
    }
  }
  logContract(name, harness)
  appendContract(name, harness)
}

describe('the embedded log', { timeout: 120_000 }, () => {
  let directory: string
  let log: EmbeddedLog

  beforeEach(async () => {
    directory = await newDirectory()
    log = await EmbeddedLog.open({ directory, segmentBytes })
  })
  afterEach(async () => {
    await log.close()
    await rm(directory, { recursive: true })
  })

  /** Changes a file of the closed log behind its back; `at` counts from the record of `offset`. */
  const tamper = async (offset: number, change: (bytes: Buffer, at: number) => void) => {
    await log.close()
    for (const name of (await readdir(directory)).sort()) {
      const path = join(directory, name)
      const bytes = await readFile(path)
      for (let at = 64; at + 40 <= bytes.length; at += 8) {
        if (bytes.readUInt32LE(at) !== RECORD_MAGIC || readUint64(bytes, at + 8) !== offset)
          continue
        change(bytes, at)
        return writeFile(path, bytes)
      }
    }
    assert.fail(`no record of ${offset}`)
  }
  const appendTags = async (from: number, to: number): Promise<void> => {
    for (let tag = from; tag < to; tag++) await log.append([taggedEntry(tag)])
  }
  /** Appends until some segments are full. */
  const rollSegments = async (count: number): Promise<void> => {
    for (let bytes = 0; bytes < count * segmentBytes;) {
      const entry = taggedEntry(0, 100)
      bytes += entry.frame.length
      await log.append([entry])
    }
  }
  const first = (): number => log.status().partitions[0].first

  it('names the entry that is damaged, delivers none after it and takes no more writes', async () => {
    await appendTags(0, 3)
    await tamper(1, (bytes, at) => (bytes[at + 140] ^= 1))
    log = await EmbeddedLog.open({ directory })
    const { entries, deliver } = recorder()
    const subscription = await log.subscribe({ group: 'a', from: [], deliver })
    const named = { kind: 'corrupt', message: /log entry 1 is damaged: checksum differs/ }
    await assert.rejects(subscription.caughtUp, named)
    assert.equal(entries.length, 0)
    await assert.rejects(log.append([taggedEntry(3)]), { kind: 'closed' })
    assert.match(log.status().failure ?? '', /entry 1 is damaged/)
  })

  it('refuses to open when a record is damaged that others follow', async () => {
    await appendTags(0, 3)
    await tamper(1, (bytes, at) => (bytes[at + 8] ^= 128))
    const named = { kind: 'corrupt', message: /entry 1 is damaged, and entry 2 follows/ }
    await assert.rejects(EmbeddedLog.open({ directory }), named)
  })

  it('drops an append that was cut off, and goes on in its place', async () => {
    for (const cut of [1, 30, 90, 200]) {
      await appendTags(0, 2)
      const { next } = log.status().partitions[0]
      const points = log.status().pointsAppended
      await log.append([taggedEntry(7), taggedEntry(8)])
      await tamper(next, (bytes, at) => bytes.fill(0, at + cut))
      log = await EmbeddedLog.open({ directory })
      assert.equal(log.status().partitions[0].next, next)
      assert.equal(log.status().pointsAppended, points)
      await log.append([taggedEntry(9)])
      await log.close()
      log = await EmbeddedLog.open({ directory })
      const { entries, deliver } = recorder()
      const subscription = await log.subscribe({ group: 'a', from: [], deliver })
      await subscription.caughtUp
      await subscription.close()
      assert.deepEqual(entries.slice(-3).map(tagOf), [0, 1, 9])
    }
  })

  it('refuses to open without a segment in the middle, or with a foreign file as one', async () => {
    await rollSegments(4)
    await log.close()
    const segments = (await readdir(directory)).filter(name => name.endsWith('.segment')).sort()
    const [, second] = segments.map(name => join(directory, name))
    const bytes = await readFile(second)
    await rm(second)
    await assert.rejects(EmbeddedLog.open({ directory }), /segment 2 before it is missing/)
    const other = Buffer.from(bytes)
    other.writeUInt32LE(9, 8)
    await writeFile(second, other)
    await assert.rejects(EmbeddedLog.open({ directory }), /format version 9 is not known/)
    await writeFile(second, 'something else'.repeat(100))
    await assert.rejects(EmbeddedLog.open({ directory }), /does not begin like a log segment/)
    await writeFile(second, bytes)
    log = await EmbeddedLog.open({ directory })
  })

  it('removes the unfinished segment that a crash leaves', async () => {
    await appendTags(0, 3)
    await log.close()
    const [first] = await readdir(directory)
    await writeFile(join(directory, '000000000002.segment'), 'WEIR')
    log = await EmbeddedLog.open({ directory })
    await log.close()
    await copyFile(join(directory, first), join(directory, '000000000002.segment'))
    log = await EmbeddedLog.open({ directory })
    assert.deepEqual(await readdir(directory), [first])
    assert.equal(log.status().partitions[0].next, 3)
  })

  it('says that a directory cannot be used', async () => {
    await assert.rejects(
      EmbeddedLog.open({ directory: '/dev/null/log' }),
      (error: WeirError) => error.kind === 'config' && /\/dev\/null\/log/.test(error.message),
    )
  })

  it('refuses a position that was trimmed, and a second subscription of a group', async () => {
    await rollSegments(4)
    const { next } = log.status().partitions[0]
    await log.commit('a', [{ partition: 0, offset: next }])
    assert.ok(first() > 0)
    const at = (offset: number): Promise<unknown> =>
      log.subscribe({ group: 'a', from: [{ partition: 0, offset }], deliver: () => {} })
    await assert.rejects(at(first() - 1), /but the log keeps \d+ to/)
    await at(next)
    await assert.rejects(at(next), { kind: 'conflict' })
  })

  it('refuses what is no offset, rather than looking for it for ever', async () => {
    await appendTags(0, 3)
    for (const offset of [NaN, 0.5, -1, Infinity]) {
      const from = [{ partition: 0, offset }]
      const subscribing = log.subscribe({ group: 'a', from, deliver: () => {} })
      await assert.rejects(subscribing, { kind: 'rejected' })
    }
    await assert.rejects(log.commit('a', [{ partition: 0, offset: NaN }]), { kind: 'rejected' })
    await log.subscribe({ group: 'a', from: [], deliver: () => {} })
  })

  it('lets a group commit more than it has read: it goes on with what is left', async () => {
    // Each has a segment of its own, and is so large that it is read in two steps.
    const next = 6
    for (let tag = 0; tag < next; tag++) await log.append([taggedEntry(tag, 300_000)])
    for (let ahead = 1; ahead <= next; ahead++) {
      const { entries, deliver } = recorder()
      const group = `reads while ${ahead} is committed`
      const subscription = await log.subscribe({ group, from: [], deliver })
      for (const name of ['a', group]) await log.commit(name, [{ partition: 0, offset: ahead }])
      await subscription.caughtUp
      await subscription.close()
      await log.commit(group, [{ partition: 0, offset: next }])
      assert.equal(log.status().failure, undefined)
      const offsets = entries.map(({ position }) => position.offset)
      const left = Array.from({ length: next - ahead }, (_, i) => ahead + i)
      assert.deepEqual(offsets.slice(offsets.length - left.length), left)
    }
  })

  it('removes the segments that every group has committed, and writes them again', async () => {
    const files = new Set<number>()
    for (let round = 0; round < 5; round++) {
      await log.subscribe({ group: 'a', from: [], deliver: () => {} })
      await log.subscribe({ group: 'b', from: [], deliver: () => {} })
      await rollSegments(4)
      const { next } = log.status().partitions[0]
      const before = first()
      await log.commit('a', [{ partition: 0, offset: next }])
      assert.equal(first(), before, 'b has committed nothing of this round')
      await log.commit('b', [{ partition: 0, offset: next }])
      assert.ok(first() > before && first() < next)
      assert.ok(log.status().bytes <= 2 * segmentBytes)
      files.add((await readdir(directory)).length)
      await log.close()
      log = await EmbeddedLog.open({ directory, segmentBytes })
      assert.equal(log.status().partitions[0].next, next)
    }
    assert.ok(Math.max(...files) <= 8, [...files].join())
  })

  it('takes an append that is larger than a segment', async () => {
    await log.close()
    log = await EmbeddedLog.open({ directory, segmentBytes })
    for (const points of [10, 100_000, 10, 250_000]) await log.append([taggedEntry(points, points)])
    await log.close()
    log = await EmbeddedLog.open({ directory, segmentBytes })
    const { entries, deliver } = recorder()
    await (
      await log.subscribe({ group: 'a', from: [], deliver })
    ).caughtUp
    assert.deepEqual(entries.map(tagOf), [10, 100_000, 10, 250_000])
    assert.deepEqual(entries[3].batch, taggedEntry(250_000, 250_000).batch)
  })

  it('keeps frames of any length, in appends of very many', async () => {
    const odd = Array.from({ length: 1500 }, (_, i) => {
      const name = 'x'.repeat(i % 9)
      const { batch } = taggedEntry(i)
      const changed = { ...batch, metrics: [name], texts: [name, undefined, undefined] }
      return { batch: changed, frame: encodeFrame(changed) }
    })
    await log.append(odd)
    const { entries, deliver } = recorder()
    await (
      await log.subscribe({ group: 'a', from: [], deliver })
    ).caughtUp
    assert.deepEqual(
      entries.map(entry => entry.batch),
      odd.map(entry => entry.batch),
    )
  })

  it('refuses what goes beyond its bound until there is room', async () => {
    await log.close()
    const one = taggedEntry(0, 100)
    log = await EmbeddedLog.open({ directory, maxBytes: 8.5 * one.frame.length })
    for (let i = 0; i < 8; i++) await log.append([one])
    const before = log.status()
    await assert.rejects(log.append([one]), {
      kind: 'retryable',
      code: 'disk_full',
      limit: 'log.maxBytes',
    })
    assert.deepEqual(log.status(), before)
    await log.commit('a', [{ partition: 0, offset: 4 }])
    await log.append([one])
    assert.equal(log.status().partitions[0].next, 9)
  })

  it('neither loses nor repeats under random appends, commits, readers and restarts', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ do: fc.constant('commit' as const), share: fc.integer({ min: 0, max: 100 }) }),
      fc.constant({ do: 'restart' as const }),
      fc.constant({ do: 'resubscribe' as const }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), steps => runSteps(steps)),
      { numRuns: 25, endOnFailure: true },
    )

    type Step = { do: string; count?: number; share?: number }
    async function runSteps(steps: readonly Step[]): Promise<void> {
      const folder = await newDirectory()
      let subject = await EmbeddedLog.open({ directory: folder, segmentBytes })
      let seen: LogEntry[] = []
      let committed = 0
      let sent = 0
      const subscribe = async () => {
        seen = []
        const from = [{ partition: 0, offset: committed }]
        const deliver = (entries: readonly LogEntry[]): void => void seen.push(...entries)
        return subject.subscribe({ group: 'a', from, deliver })
      }
      const check = (): void =>
        assert.deepEqual(
          seen.map(entry => [entry.position.offset, tagOf(entry)]),
          Array.from({ length: seen.length }, (_, i) => [
            seen[0].position.offset + i,
            seen[0].position.offset + i,
          ]),
        )
      let subscription = await subscribe()
      for (const one of steps) {
        if (one.do === 'append') {
          const entries = Array.from({ length: one.count ?? 0 }, () => taggedEntry(sent++, 40))
          await subject.append(entries)
        } else if (one.do === 'commit') {
          committed += Math.floor(((one.share ?? 0) * (sent - committed)) / 100)
          await subject.commit('a', [{ partition: 0, offset: committed }])
        } else {
          await subscription.close()
          if (one.do === 'restart') {
            await subject.close()
            subject = await EmbeddedLog.open({ directory: folder, segmentBytes })
          }
          subscription = await subscribe()
        }
        check()
      }
      await subscription.caughtUp
      if (seen.length > 0) assert.equal(tagOf(seen[seen.length - 1]), sent - 1)
      check()
      assert.equal(subject.status().pointsAppended, sent * 40)
      assert.equal(subject.status().partitions[0].next, sent)
      await subject.close()
      await rm(folder, { recursive: true })
    }
  })
})
