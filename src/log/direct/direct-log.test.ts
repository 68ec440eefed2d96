import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../../test/fixtures/fake-clock.ts'
import { WeirError } from '../../ports/errors.ts'
import { appendContract } from '../append.contract.ts'
import { recorder, taggedEntry, tagOf } from '../log.contract.ts'
import { DirectLog } from './direct-log.ts'

const START_MS = Date.UTC(2026, 10, 20)

appendContract('direct', async () => ({
  async open() {
    const log = new DirectLog({ clock: fakeClock(START_MS) })
    await log.subscribe({ group: 'keeper', isKeeper: true, from: [], deliver: () => {} })
    return log
  },
  remove: async () => {},
}))

/** A log whose keeper does what the test tells it. */
async function setUp() {
  const clock = fakeClock(START_MS)
  const log = new DirectLog({ clock })
  const kept: { tag: number; done: PromiseWithResolvers<void> }[] = []
  const { entries, deliver } = recorder()
  await log.subscribe({ group: 'memory', from: [], deliver })
  await log.subscribe({
    group: 'keeper',
    isKeeper: true,
    from: [],
    deliver(given) {
      const done = Promise.withResolvers<void>()
      kept.push({ tag: tagOf(given[0]), done })
      return done.promise
    },
  })
  return { clock, log, kept, seen: entries }
}

test('others are given what the keeper has taken, in the order in which it took it', async () => {
  const { log, kept, seen } = await setUp()
  const appends = [1, 2, 3].map(tag => log.append([taggedEntry(tag)]))
  assert.deepEqual(
    kept.map(({ tag }) => tag),
    [1, 2, 3],
    'appends do not wait for each other',
  )
  assert.equal(seen.length, 0)
  kept[2].done.resolve()
  await appends[2]
  kept[0].done.resolve()
  kept[1].done.resolve()
  await Promise.all(appends)
  assert.deepEqual(seen.map(tagOf), [3, 1, 2])
  const offsets = seen.map(({ position }) => position.offset)
  assert.deepEqual(
    offsets,
    [0, 1, 2].map(i => START_MS * 1000 + i),
  )
  assert.equal(log.status().pointsAppended, 9)
  assert.equal(log.status().bytes, 0)
})

test('what the keeper refuses has not happened, and others go on', async () => {
  const { log, kept, seen } = await setUp()
  const away = new WeirError('retryable', 'the database is away', { retryAfterMs: 1000 })
  const refused = log.append([taggedEntry(1)])
  const taken = log.append([taggedEntry(2)])
  kept[0].done.reject(away)
  kept[1].done.resolve()
  await assert.rejects(refused, away)
  await taken
  assert.deepEqual(seen.map(tagOf), [2])
  assert.equal(log.status().failure, undefined)
  assert.equal(log.status().pointsAppended, 3)
})

test('a slow consumer holds the append, and one that fails ends the log', async () => {
  const { log, kept } = await setUp()
  const held = Promise.withResolvers<void>()
  const slow = await log.subscribe({ group: 'slow', from: [], deliver: () => held.promise })
  let isDone = false
  const append = log.append([taggedEntry(1)]).then(() => (isDone = true))
  kept[0].done.resolve()
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
  assert.equal(isDone, false)
  held.resolve()
  await append
  await slow.close()
  const error = new Error('out of order')
  await log.subscribe({ group: 'broken', from: [], deliver: () => Promise.reject(error) })
  const broken = log.append([taggedEntry(2)])
  kept[1].done.resolve()
  await assert.rejects(broken, { kind: 'closed' })
  await assert.rejects(log.append([taggedEntry(3)]), { kind: 'closed' })
  assert.match(log.status().failure ?? '', /out of order/)
})

test('without a keeper nothing is acknowledged, and there is one keeper', async () => {
  const log = new DirectLog({ clock: fakeClock() })
  await assert.rejects(log.append([taggedEntry(1)]), { kind: 'retryable' })
  const keeper = { isKeeper: true, from: [], deliver: () => {} }
  const { close } = await log.subscribe({ group: 'one', ...keeper })
  await assert.rejects(log.subscribe({ group: 'two', ...keeper }), { kind: 'conflict' })
  await log.append([taggedEntry(1)])
  await close()
  await assert.rejects(log.append([taggedEntry(1)]), { kind: 'retryable' })
  await log.subscribe({ group: 'two', ...keeper })
})

test('offsets of a restart are beyond those of before', async () => {
  const { clock, log, kept, seen } = await setUp()
  const append = log.append([taggedEntry(1), taggedEntry(2)])
  kept[0].done.resolve()
  await append
  clock.advance(5)
  const later = new DirectLog({ clock })
  assert.ok(later.status().partitions[0].next > seen[1].position.offset)
})
