import assert from 'node:assert/strict'
import { after, beforeEach, afterEach, describe, it } from 'node:test'
import type { Batch, EncodedBatch } from '../model/batch.ts'
import { encodeFrame } from '../model/frame.ts'
import { WeirError } from '../ports/errors.ts'
import type { Log, LogEntry, LogPosition } from '../ports/log.ts'

/** One log's storage, empty at first. */
export interface LogHarness {
  /**
   * Opens the log; again after it was closed, with what it had kept. A shared one is opened several
   * times at once, as several processes do.
   */
  open(): Promise<Log>
  /** Removes the storage, after the log was closed. */
  remove(): Promise<void>
}

/** A batch of `points` points that tells itself from others by `tag`. */
export function taggedEntry(tag: number, points = 3): EncodedBatch {
  const batch: Batch = {
    tenant: 'default',
    devices: [`device-${tag}`],
    metrics: ['temperature'],
    seriesDevice: Uint32Array.of(0),
    seriesMetric: Uint32Array.of(0),
    seriesIndex: new Uint32Array(points),
    timestamps: Float64Array.from({ length: points }, (_, i) => 1.7e15 + i),
    values: Float64Array.from({ length: points }, () => tag),
  }
  return { batch, frame: encodeFrame(batch) }
}

export function tagOf(entry: EncodedBatch): number {
  return entry.batch.values[0]
}

/** A subscriber that keeps what it is given. */
export function recorder(): { entries: LogEntry[]; deliver(entries: readonly LogEntry[]): void } {
  const entries: LogEntry[] = []
  return { entries, deliver: given => void entries.push(...given) }
}

/** What every engine of the log port must do; each engine's test calls it with its own harness. */
export function logContract(name: string, harness: () => Promise<LogHarness>): void {
  describe(`the log contract: ${name}`, { timeout: 120_000 }, () => {
    let storage: LogHarness
    let log: Log
    const opened: Log[] = []

    const reopen = async (): Promise<void> => {
      await log.close()
      log = await storage.open()
      opened.push(log)
    }

    beforeEach(async () => {
      storage = await harness()
      log = await storage.open()
      opened.push(log)
    })
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close()
      await storage.remove()
    })
    after(() => assert.equal(opened.length, 0))

    const readAll = async (group: string, from: LogPosition[] = []): Promise<LogEntry[]> => {
      const { entries, deliver } = recorder()
      const subscription = await log.subscribe({ group, from, deliver })
      await subscription.caughtUp
      await subscription.close()
      return entries
    }
    const rejectsWith = (kind: WeirError['kind']) => (error: unknown) => {
      assert.ok(error instanceof WeirError, String(error))
      assert.equal(error.kind, kind)
      return true
    }
    /** Entries can be spread over partitions; within each their order and offsets count. */
    const assertContiguous = (entries: readonly LogEntry[]): void => {
      const next = new Map<number, number>()
      for (const { position } of entries) {
        const expected = next.get(position.partition) ?? position.offset
        assert.equal(position.offset, expected)
        next.set(position.partition, expected + 1)
      }
    }
    const tags = (entries: readonly LogEntry[]): number[] =>
      entries.map(tagOf).sort((a, b) => a - b)
    const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

    it('gives back appended entries unchanged and in order, also after a restart', async () => {
      const sent = upTo(20).map(tag => taggedEntry(tag, 1 + tag * 50))
      for (let i = 0; i < sent.length; i += 4) await log.append(sent.slice(i, i + 4))
      for (const round of ['first', 'second']) {
        const entries = await readAll(round)
        assertContiguous(entries)
        assert.deepEqual(tags(entries), upTo(20))
        for (const entry of entries) {
          const original = sent[tagOf(entry)]
          assert.deepEqual(Buffer.from(entry.frame), Buffer.from(original.frame))
          assert.deepEqual(entry.batch, original.batch)
        }
        await reopen()
      }
    })

    it('keeps text points', async () => {
      const { batch } = taggedEntry(0)
      const texts = {
        ...batch,
        values: Float64Array.of(NaN, 1, NaN),
        texts: ['open', undefined, ''],
      }
      await log.append([{ batch: texts, frame: encodeFrame(texts) }])
      assert.deepEqual((await readAll('a'))[0].batch, texts)
    })

    it('keeps the order of appends that do not wait for each other', async () => {
      await Promise.all(upTo(30).map(tag => log.append([taggedEntry(tag)])))
      const entries = await readAll('a')
      assertContiguous(entries)
      if (log.status().partitions.length === 1) assert.deepEqual(entries.map(tagOf), upTo(30))
      assert.deepEqual(tags(entries), upTo(30))
    })

    it('takes an append of nothing', async () => {
      await log.append([])
      assert.equal(log.status().pointsAppended, 0)
    })

    it('delivers each entry once to a subscriber that joins while appends go on', async () => {
      await log.append(upTo(200).map(tag => taggedEntry(tag, 200)))
      const { entries, deliver } = recorder()
      let appended = 200
      let caughtUp = false
      const subscription = await log.subscribe({ group: 'a', from: [], deliver })
      void subscription.caughtUp.then(() => (caughtUp = true))
      while (!caughtUp || appended < 300) await log.append([taggedEntry(appended++)])
      await until(() => entries.length >= appended)
      assertContiguous(entries)
      assert.deepEqual(tags(entries), upTo(appended))
      await subscription.close()
    })

    it('delivers before it acknowledges if it says so, and else without waiting for it', async () => {
      const { entries, deliver } = recorder()
      let release = (): void => {}
      const released = new Promise<void>(resolve => (release = resolve))
      const isFirst = log.capabilities.deliversBeforeAck
      const subscription = await log.subscribe({
        ...{ group: 'a', from: [] },
        deliver: given => {
          deliver(given)
          return isFirst ? undefined : released
        },
      })
      await subscription.caughtUp
      for (const tag of upTo(10)) {
        await log.append([taggedEntry(tag), taggedEntry(tag + 100)])
        if (isFirst) assert.equal(entries.length, 2 * (tag + 1))
      }
      release()
      await until(() => entries.length === 20)
    })

    it('delivers to each group, and to none while its last delivery is pending', async () => {
      const quick = recorder()
      await (
        await log.subscribe({ group: 'quick', from: [], deliver: quick.deliver })
      ).caughtUp
      let release = (): void => {}
      let running = 0
      const slow: LogEntry[] = []
      await log.subscribe({
        group: 'slow',
        from: [],
        deliver: async entries => {
          assert.equal(++running, 1, 'deliveries of one group must not overlap')
          await new Promise<void>(resolve => (release = resolve))
          slow.push(...entries)
          running--
        },
      })
      const appends = Promise.all(upTo(5).map(tag => log.append([taggedEntry(tag)])))
      await until(() => running === 1)
      assert.equal(slow.length, 0)
      while (slow.length < 5) {
        await until(() => running === 1 || slow.length === 5)
        release()
        await until(() => running === 0 || slow.length < 5)
      }
      await appends
      await until(() => quick.entries.length === 5)
      assert.deepEqual(tags(slow), upTo(5))
      assert.deepEqual(tags(quick.entries), upTo(5))
    })

    it('begins where a subscriber asks', async () => {
      for (const tag of upTo(10)) await log.append([taggedEntry(tag)])
      const all = await readAll('a')
      const { position } = all[6]
      const rest = await readAll('b', [position])
      const inPartition = rest.filter(entry => entry.position.partition === position.partition)
      assert.deepEqual(inPartition[0].position, position)
      const { partition } = position
      const next = log.status().partitions.find(one => one.partition === partition)?.next ?? NaN
      const nothing = await readAll('c', [{ partition, offset: next }])
      assert.equal(nothing.filter(entry => entry.position.partition === partition).length, 0)
    })

    it('refuses a position beyond its end: the group has read another log', async () => {
      await log.append([taggedEntry(0)])
      const from = [{ partition: 0, offset: 1000 }]
      await assert.rejects(
        log.subscribe({ group: 'a', from, deliver: () => {} }),
        rejectsWith('rejected'),
      )
    })

    it('stops delivering to a closed subscription', async () => {
      const { entries, deliver } = recorder()
      const subscription = await log.subscribe({ group: 'a', from: [], deliver })
      await log.append([taggedEntry(0)])
      await until(() => entries.length === 1)
      await subscription.close()
      await log.append([taggedEntry(1)])
      assert.equal(entries.length, 1)
      assert.deepEqual(tags(await readAll('a')), [0, 1])
    })

    it('keeps what a group has not committed, and takes old commits', async () => {
      for (const tag of upTo(40)) await log.append([taggedEntry(tag)])
      const ahead = await readAll('ahead')
      await readAll('behind')
      const commit = (group: string, { position }: LogEntry): Promise<void> =>
        log.commit(group, [{ ...position, offset: position.offset + 1 }])
      await commit('ahead', ahead[39])
      await commit('behind', ahead[9])
      await commit('ahead', ahead[3])
      for (const tag of upTo(10)) await log.append([taggedEntry(40 + tag)])
      await reopen()
      const kept = new Set(tags(await readAll('behind')))
      const isCommitted = ({ position }: LogEntry): boolean =>
        position.partition === ahead[9].position.partition &&
        position.offset <= ahead[9].position.offset
      const needed = tags(ahead.filter(entry => !isCommitted(entry)))
      for (const tag of [...needed, ...upTo(10).map(tag => 40 + tag)]) assert.ok(kept.has(tag))
    })

    it('counts points and offsets over trims and restarts', async () => {
      assert.equal(log.status().pointsAppended, 0)
      await readAll('a')
      let points = 0
      for (let round = 0; round < 3; round++) {
        for (const tag of upTo(10)) await log.append([taggedEntry(tag, tag + 1)])
        points += 55
        const { partitions } = log.status()
        assert.equal(
          partitions.reduce((sum, one) => sum + one.next, 0),
          10 * (round + 1),
        )
        assert.equal(log.status().pointsAppended, points)
        await log.commit(
          'a',
          partitions.map(({ partition, next }) => ({ partition, offset: next })),
        )
        await reopen()
        // A shared log says what this process has appended.
        if (log.capabilities.isShared) points = 0
        assert.equal(log.status().pointsAppended, points)
        assert.deepEqual(
          log.status().partitions.map(one => one.next),
          partitions.map(one => one.next),
        )
      }
    })

    it('fails when a consumer refuses an entry: acknowledged data must not pass it by', async () => {
      await log.subscribe({
        group: 'a',
        from: [],
        deliver: () => Promise.reject(new Error('store is broken')),
      })
      const append = log.append([taggedEntry(0)])
      if (log.capabilities.deliversBeforeAck) await assert.rejects(append, rejectsWith('closed'))
      else await append
      await until(() => log.status().failure !== undefined)
      await assert.rejects(log.append([taggedEntry(1)]), rejectsWith('closed'))
      assert.match(log.status().failure ?? '', /store is broken/)
      await reopen()
      assert.equal(log.status().failure, undefined)
      assert.deepEqual(tags(await readAll('a')), [0])
    })

    it('finishes appends in flight when it is closed, and refuses later ones', async () => {
      const inFlight = Promise.all(upTo(5).map(tag => log.append([taggedEntry(tag)])))
      const closes = [log.close(), log.close()]
      await assert.rejects(log.append([taggedEntry(9)]), rejectsWith('closed'))
      await inFlight
      await Promise.all(closes)
      await assert.rejects(log.append([taggedEntry(9)]), rejectsWith('closed'))
      await reopen()
      assert.deepEqual(tags(await readAll('a')), upTo(5))
    })
  })
}

/** Waits for a condition; the test's own timeout is the bound. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    // Turn by turn at first; a server on the same machine needs the processor too.
    await new Promise<unknown>(resolve =>
      turns < 100 ? setImmediate(resolve) : setTimeout(resolve, 1),
    )
  }
}
