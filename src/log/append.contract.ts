import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { WeirError } from '../ports/errors.ts'
import type { Log, LogEntry } from '../ports/log.ts'
import { recorder, tagOf, taggedEntry, until, type LogHarness } from './log.contract.ts'

/** What every log must do, also one that keeps nothing; `logContract` is for those that do. */
export function appendContract(name: string, harness: () => Promise<LogHarness>): void {
  describe(`the contract of appends: ${name}`, { timeout: 120_000 }, () => {
    let storage: LogHarness
    let log: Log

    beforeEach(async () => {
      storage = await harness()
      log = await storage.open()
    })
    afterEach(async () => {
      await log.close()
      await storage.remove()
    })
    const tags = (entries: readonly LogEntry[]): number[] =>
      entries.map(tagOf).sort((a, b) => a - b)
    const follow = async (group: string): Promise<LogEntry[]> => {
      const { entries, deliver } = recorder()
      const { caughtUp } = await log.subscribe({ group, from: [], deliver })
      await caughtUp
      return entries
    }

    it('gives each group every entry once, unchanged, at positions that rise', async () => {
      const groups = [await follow('a'), await follow('b')]
      const before = log.status().pointsAppended
      const sent = Array.from({ length: 12 }, (_, tag) => taggedEntry(tag, 1 + tag))
      for (let i = 0; i < sent.length; i += 3) await log.append(sent.slice(i, i + 3))
      await until(() => groups.every(entries => entries.length >= sent.length))
      for (const entries of groups) {
        assert.deepEqual(
          tags(entries),
          sent.map((_, tag) => tag),
        )
        const last = new Map<number, number>()
        for (const entry of entries) {
          const { batch, frame } = sent[tagOf(entry)]
          assert.deepEqual(entry.batch, batch)
          assert.deepEqual(Buffer.from(entry.frame), Buffer.from(frame))
          const { partition, offset } = entry.position
          assert.ok(offset > (last.get(partition) ?? -1))
          last.set(partition, offset)
        }
      }
      assert.equal(log.status().pointsAppended - before, 78)
    })

    it('has delivered what it acknowledges, if it says so', async () => {
      const entries = await follow('a')
      for (let tag = 0; tag < 10; tag++) {
        await log.append([taggedEntry(tag), taggedEntry(tag + 100)])
        if (log.capabilities.deliversBeforeAck) assert.equal(entries.length, 2 * (tag + 1))
      }
      await until(() => entries.length === 20)
    })

    it('takes an append of nothing', async () => {
      const entries = await follow('a')
      await log.append([])
      assert.equal(log.status().pointsAppended, 0)
      await log.append([taggedEntry(1)])
      await until(() => entries.length === 1)
    })

    it('stops delivering to a closed subscription', async () => {
      const { entries, deliver } = recorder()
      const { caughtUp, close } = await log.subscribe({ group: 'a', from: [], deliver })
      await caughtUp
      await log.append([taggedEntry(0)])
      await until(() => entries.length === 1)
      await close()
      await log.append([taggedEntry(1)])
      assert.equal(entries.length, 1)
    })

    it('finishes appends in flight when it is closed, and refuses later ones', async () => {
      const entries = await follow('a')
      const isClosed = (error: unknown): boolean =>
        error instanceof WeirError && error.kind === 'closed'
      const inFlight = Promise.all([0, 1, 2, 3].map(tag => log.append([taggedEntry(tag)])))
      const closes = [log.close(), log.close()]
      await assert.rejects(log.append([taggedEntry(9)]), isClosed)
      await inFlight
      await Promise.all(closes)
      await assert.rejects(log.append([taggedEntry(9)]), isClosed)
      await assert.rejects(log.subscribe({ group: 'b', from: [], deliver: () => {} }), isClosed)
      if (log.capabilities.deliversBeforeAck) assert.deepEqual(tags(entries), [0, 1, 2, 3])
    })
  })
}
