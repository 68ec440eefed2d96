import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../model/batch.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { Log, LogEntry, LogPosition, SubscribeOptions } from '../ports/log.ts'
import type { Store, StoreEntry } from '../ports/store.ts'
import { until } from '../../test/fixtures/until.ts'
import { Writer, type WriterOptions } from './writer.ts'

const NOW_MS = 1_000_000
const clock: Clock = { nowMs: () => NOW_MS, every: () => () => {} }

function entry(offset: number, timeMs = 5000): LogEntry {
  const batch: Batch = {
    tenant: 't',
    devices: ['d'],
    metrics: ['m'],
    seriesDevice: Uint32Array.of(0),
    seriesMetric: Uint32Array.of(0),
    seriesIndex: Uint32Array.of(0),
    timestamps: Float64Array.of(timeMs * 1000),
    values: Float64Array.of(offset),
  }
  return { batch, frame: new Uint8Array(100), position: { partition: 0, offset } }
}

/** A log and a store of which the test plays the other side. */
function harness(
  options: Partial<WriterOptions> = {},
  { isShared = false, commitFailure = undefined as WeirError | undefined } = {},
) {
  const writes: { entries: readonly StoreEntry[]; done: PromiseWithResolvers<void> }[] = []
  const committed: (readonly LogPosition[])[] = []
  const failures: unknown[] = []
  const warnings: unknown[] = []
  const dead: unknown[] = []
  const seen: [offset: number, arrivalMs: number][] = []
  let subscribed: SubscribeOptions | undefined
  let onCommit: ((positions: readonly LogPosition[]) => void) | undefined
  const caughtUp = Promise.withResolvers<void>()
  const { promise: whenSubscribed, resolve: hasSubscribed } = Promise.withResolvers<void>()
  const log = {
    capabilities: { deliversBeforeAck: true, keepsEntries: true, isShared: false },
    subscribe(wanted: SubscribeOptions) {
      subscribed = wanted
      hasSubscribed()
      return Promise.resolve({ caughtUp: caughtUp.promise, close: () => Promise.resolve() })
    },
    commit(_group: string, positions: readonly LogPosition[]) {
      committed.push(positions)
      return commitFailure === undefined ? Promise.resolve() : Promise.reject(commitFailure)
    },
  } as Partial<Log> as Log
  const store = {
    capabilities: { readsFollowWrites: true, commitsOnWrite: false, isShared },
    positions: () => Promise.resolve([{ partition: 0, offset: 7 }]),
    onCommit: (listener: typeof onCommit) => (onCommit = listener),
    write(entries: readonly StoreEntry[]) {
      const done = Promise.withResolvers<void>()
      writes.push({ entries, done })
      return done.promise
    },
  } as Partial<Store> as Store
  const writer = new Writer({
    log,
    store,
    clock,
    consumers: [({ position }, arrivalMs) => seen.push([position.offset, arrivalMs])],
    maxPendingBytes: 250,
    onFailure: error => failures.push(error),
    onWarning: error => warnings.push(error),
    onDeadLetter: (_entries, error) => dead.push(error),
    ...options,
  })
  return {
    ...{ writer, writes, committed, failures, warnings, dead, seen, caughtUp },
    subscribed: () => subscribed!,
    whenSubscribed,
    storeCommits: (positions: readonly LogPosition[]) => onCommit?.(positions),
  }
}

test('it asks the log for what the store lacks and tells it how far the store is', async () => {
  const { writer, subscribed, committed, caughtUp, storeCommits } = harness()
  caughtUp.resolve()
  await writer.start()
  assert.deepEqual(subscribed().from, [{ partition: 0, offset: 7 }])
  storeCommits([{ partition: 0, offset: 9 }])
  assert.deepEqual(committed, [[{ partition: 0, offset: 9 }]])
})

test('that the log cannot be told now is no reason to stop, that it never can is one', async () => {
  for (const kind of ['retryable', 'closed'] as const) {
    const commitFailure = new WeirError(kind, 'the log cannot remove old entries')
    const { writer, warnings, failures, caughtUp, storeCommits } = harness({}, { commitFailure })
    caughtUp.resolve()
    await writer.start()
    storeCommits([{ partition: 0, offset: 9 }])
    await until('it is told', () => warnings.length + failures.length > 0)
    const [told, silent] = kind === 'retryable' ? [warnings, failures] : [failures, warnings]
    assert.deepEqual([told, silent], [[commitFailure], []])
  }
})

test('entries are handed on at once; replayed ones arrive at their own time', async () => {
  const { writer, subscribed, whenSubscribed, seen, writes, caughtUp } = harness()
  const starting = writer.start()
  await whenSubscribed
  assert.equal(subscribed().deliver([entry(7)]), undefined)
  caughtUp.resolve()
  await starting
  assert.equal(subscribed().deliver([entry(8)]), undefined)
  assert.deepEqual(seen, [
    [7, 5000],
    [8, NOW_MS],
  ])
  assert.equal(writes.length, 2)
  assert.equal(writer.pendingPoints, 2)
})

test('delivery waits when the store is behind, and goes on when it has caught up', async () => {
  const { writer, subscribed, writes, caughtUp } = harness()
  caughtUp.resolve()
  await writer.start()
  assert.equal(subscribed().deliver([entry(1), entry(2)]), undefined)
  const held = subscribed().deliver([entry(3)])
  assert.ok(held instanceof Promise)
  let released = false
  void held.then(() => (released = true))
  writes[1].done.resolve()
  await Promise.resolve()
  assert.equal(released, false, '200 of 250 bytes are still more than half')
  writes[0].done.resolve()
  await held
  assert.equal(writer.pendingPoints, 0)
})

test('a store that fails for good is reported and fails what waits', async () => {
  const { writer, subscribed, writes, failures, caughtUp } = harness()
  caughtUp.resolve()
  await writer.start()
  const held = subscribed().deliver([entry(1), entry(2), entry(3)])
  const error = new Error('gone')
  writes[0].done.reject(error)
  await assert.rejects(held as Promise<void>, error)
  assert.deepEqual(failures, [error])
})

test('entries that can never be stored are dead letters, and others go on', async () => {
  const { writer, subscribed, writes, failures, dead, caughtUp } = harness()
  caughtUp.resolve()
  await writer.start()
  assert.equal(subscribed().deliver([entry(1)]), undefined)
  const error = new WeirError('rejected', 'no such time')
  writes[0].done.reject(error)
  await writer.close()
  assert.deepEqual(dead, [error])
  assert.equal(writer.counts('t').deadLettered, 1)
  assert.equal(writer.pendingPoints, 0)
  assert.deepEqual(failures, [])
})

const away = new WeirError('retryable', 'the database is away')
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('while a store that can be away is away, entries wait in order, and the log with them', async () => {
  const { writer, subscribed, writes, failures, caughtUp } = harness({}, { isShared: true })
  caughtUp.resolve()
  await writer.start()
  assert.equal(subscribed().deliver([entry(1), entry(2)]), undefined)
  const held = subscribed().deliver([entry(3)]) as Promise<void>
  // The first is taken; the store is away for the second, and says of the third that it comes later.
  writes[0].done.resolve()
  writes[2].done.reject(new WeirError('retryable', 'entry 2 comes first'))
  writes[1].done.reject(away)
  await until('it is told', () => writer.trouble !== undefined)
  assert.equal(subscribed().deliver([entry(4)]) instanceof Promise, true)
  assert.equal(writer.pendingPoints, 4)
  await until('they are sent again', () => writes.length === 6)
  for (const { done } of writes.slice(3)) done.resolve()
  await held
  const offsets = writes.map(({ entries }) => entries.map(({ position }) => position?.offset))
  assert.deepEqual(offsets, [[1], [2], [3], [2], [3], [4]])
  await until('all are stored', () => writer.pendingPoints === 0)
  assert.equal(writer.trouble, undefined)
  assert.deepEqual(failures, [])
})

test('only the entry that can never be stored is a dead letter', async () => {
  const { writer, subscribed, writes, dead, caughtUp } = harness({}, { isShared: true })
  caughtUp.resolve()
  await writer.start()
  assert.equal(subscribed().deliver([entry(1), entry(2)]), undefined)
  const error = new WeirError('rejected', 'no such time')
  writes[0].done.reject(error)
  writes[1].done.resolve()
  await writer.close()
  assert.deepEqual(dead, [error])
  assert.equal(writer.counts('t').deadLettered, 1)
})

test('a stop does not wait for a store that is away: the log has what is not stored', async () => {
  const { writer, subscribed, writes, failures, caughtUp } = harness({}, { isShared: true })
  caughtUp.resolve()
  await writer.start()
  assert.equal(subscribed().deliver([entry(1)]), undefined)
  writes[0].done.reject(away)
  await until('it waits', () => writer.trouble !== undefined)
  const closing = writer.close()
  await until('it is tried once more', () => writes.length === 2)
  writes[1].done.reject(away)
  await closing
  await turn()
  assert.deepEqual(failures, [])
})

test('without a log that keeps entries the writer is their keeper, and consumers come after', async () => {
  const groups: SubscribeOptions[] = []
  let closes = 0
  const log = {
    capabilities: { deliversBeforeAck: true, keepsEntries: false, isShared: false },
    subscribe(wanted: SubscribeOptions) {
      groups.push(wanted)
      const close = (): Promise<void> => Promise.resolve(void closes++)
      return Promise.resolve({ caughtUp: Promise.resolve(), close })
    },
  } as Partial<Log> as Log
  const writes: (readonly StoreEntry[])[] = []
  const store = {
    capabilities: { readsFollowWrites: true, commitsOnWrite: true, isShared: true },
    write(entries: readonly StoreEntry[]) {
      writes.push(entries)
      return writes.length === 1 ? Promise.resolve() : Promise.reject(away)
    },
  } as Partial<Store> as Store
  const seen: [value: number, arrivalMs: number][] = []
  const writer = new Writer({
    ...{ log, store, clock, maxPendingBytes: 250 },
    consumers: [({ batch }, arrivalMs) => seen.push([batch.values[0], arrivalMs])],
    onFailure: () => assert.fail(),
    onWarning: () => assert.fail(),
    onDeadLetter: () => assert.fail(),
  })
  await writer.start()
  const keeper = groups.find(({ isKeeper }) => isKeeper === true)
  const others = groups.filter(({ isKeeper }) => isKeeper !== true)
  assert.ok(keeper !== undefined)
  await keeper.deliver([entry(1)])
  const { batch, frame } = entry(1)
  assert.deepEqual(writes, [[{ batch, frame }]], 'nothing is skipped: it has no position')
  assert.deepEqual(seen, [])
  for (const { deliver } of others) await deliver([entry(1)])
  assert.deepEqual(seen, [[1, NOW_MS]])
  await assert.rejects(keeper.deliver([entry(2)]) as Promise<void>, away)
  assert.equal(writer.pendingPoints, 0)
  await writer.close()
  assert.equal(closes, groups.length)
})
