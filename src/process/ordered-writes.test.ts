import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../test/fixtures/seeded-random.ts'
import { Backoff } from '../kit/backoff.ts'
import { WeirError } from '../ports/errors.ts'
import type { LogEntry } from '../ports/log.ts'
import type { StoreEntry } from '../ports/store.ts'
import { OrderedWrites } from './ordered-writes.ts'

const PARTITIONS = 3

function entryAt(partition: number, offset: number): LogEntry {
  return { position: { partition, offset } } as Partial<LogEntry> as LogEntry
}

test('a store that fails at random gets every entry once, in the order of its partition', async t => {
  const random = seededRandom(t)
  const stored: number[][] = Array.from({ length: PARTITIONS }, () => [])
  const failed = new Map<number, number>()
  const refused: string[] = []
  // Keeps the order as the port says, and answers in any order.
  const store = {
    async write([{ position }]: readonly StoreEntry[]) {
      const { partition, offset } = position!
      const first = failed.get(partition)
      if (first !== undefined && offset > first) throw new WeirError('retryable', 'comes later')
      failed.delete(partition)
      if (random.chance(0.1)) {
        failed.set(partition, offset)
        throw new WeirError('retryable', 'away')
      }
      if (offset % 17 === 5) throw new WeirError('rejected', 'never')
      stored[partition].push(offset)
      for (let turns = random.int(0, 3); turns > 0; turns--) {
        await new Promise(resolve => setImmediate(resolve))
      }
    },
  }
  const writes = new OrderedWrites({
    store,
    onRejected: ({ position }) => refused.push(`${position.partition}-${position.offset}`),
    backoff: new Backoff({ firstMs: 1, lastMs: 2 }),
  })
  const next = new Array<number>(PARTITIONS).fill(0)
  const deliveries: Promise<void>[] = []
  for (let round = 0; round < 60; round++) {
    const entries = Array.from({ length: random.int(0, 6) }, () => {
      const partition = random.int(0, PARTITIONS)
      return entryAt(partition, next[partition]++)
    })
    deliveries.push(writes.write(entries))
    if (random.chance(0.5)) await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all(deliveries)
  assert.equal(writes.trouble, undefined)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const all = Array.from({ length: next[partition] }, (_, offset) => offset)
    const good = all.filter(offset => offset % 17 !== 5)
    assert.deepEqual(stored[partition], good)
    const bad = refused.filter(id => id.startsWith(`${partition}-`))
    assert.equal(bad.length, all.length - good.length)
  }
})

test('a store that has failed for good fails the delivery', async () => {
  const error = new WeirError('closed', 'gone')
  const writes = new OrderedWrites({
    store: { write: () => Promise.reject(error) },
    onRejected: () => assert.fail(),
  })
  await assert.rejects(writes.write([entryAt(0, 0), entryAt(0, 1)]), error)
})
