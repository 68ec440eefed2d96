import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WeirError } from '../../ports/errors.ts'
import type { StoreEntry } from '../../ports/store.ts'
import { batchOf, TestLog } from '../test-log.ts'
import type { Item } from './committer.ts'
import { PendingWrites } from './pending-writes.ts'
import { MergedWriter, SingleWriter } from './writer.ts'

const away = new WeirError('retryable', 'the database is away')
const noTime = new WeirError('rejected', 'point 0: NaN is no time')
const point = { device: 'd', metric: 'm', time: 1, value: 1 }

function entriesOf(count: number): StoreEntry[] {
  const log = new TestLog()
  return Array.from({ length: count }, () => log.append(batchOf('t', [point])))
}

/** How each write ended: `stored`, or the kind of its error. */
async function endsOf(writes: readonly Promise<void>[]): Promise<string[]> {
  const results = await Promise.allSettled(writes)
  return results.map(one => (one.status === 'fulfilled' ? 'stored' : kindOf(one.reason)))
}

const kindOf = (error: unknown): string => (error instanceof WeirError ? error.kind : String(error))

for (const Kind of [MergedWriter, SingleWriter]) {
  test(`what follows an entry for which there was no room does not overtake it (${Kind.name})`, async () => {
    const [first, second, third] = entriesOf(3)
    const committed: StoreEntry[] = []
    const held = Promise.withResolvers<void>()
    const committer = {
      async commit(items: readonly Item[]): Promise<void> {
        if (committed.length === 0) await held.promise
        for (const { entry, settle } of items) {
          committed.push(entry)
          settle()
        }
      },
    }
    const pending = new PendingWrites(first.frame.byteLength - 1)
    const writer = new Kind({ committer, pending, onCommit: () => undefined })
    const write = writer.write([first])
    assert.deepEqual(await endsOf([writer.write([second])]), ['overloaded'])
    held.resolve()
    await write
    assert.equal(pending.bytes, 0)
    assert.deepEqual(await endsOf([writer.write([third])]), ['retryable'])
    // It comes, and for the other one there is no room now.
    const both = [writer.write([second]), writer.write([third])]
    assert.deepEqual(await endsOf(both), ['stored', 'overloaded'])
    await writer.write([third])
    assert.deepEqual(committed, [first, second, third])
  })
}

test('of entries that are committed one by one, each is told its own end', async () => {
  const [first, second, third, fourth, fifth] = entriesOf(5)
  const pending = new PendingWrites(Infinity)
  const committer = {
    commit(items: readonly Item[]): Promise<void> {
      items[0].settle()
      items[1].settle(noTime)
      // As much of the third write as of the fourth: nothing, though its first entry is there.
      items[2].settle()
      return Promise.reject(away)
    },
  }
  const writer = new MergedWriter({ committer, pending, onCommit: () => undefined })
  const writes = [[first], [second], [third, fourth], [fifth]].map(one => writer.write(one))
  assert.deepEqual(await endsOf(writes), ['stored', 'rejected', 'retryable', 'retryable'])
  assert.equal(pending.bytes, 0)
  // Those that are settled are not waited for.
  assert.throws(() => pending.order.admit([fourth]), { message: /^entry 2 of partition 0 comes/ })
})
