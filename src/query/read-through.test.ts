import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import type { Cache } from '../ports/cache.ts'
import { ReadThrough } from './read-through.ts'

function timedCache(clock: ReturnType<typeof fakeClock>): Cache {
  const kept = new Map<string, { value: Uint8Array; untilMs: number }>()
  return {
    async get(key) {
      const entry = kept.get(key)
      return entry !== undefined && clock.nowMs() < entry.untilMs ? entry.value : undefined
    },
    async set(key, value, ttlMs) {
      kept.set(key, { value, untilMs: clock.nowMs() + ttlMs })
    },
    invalidate: () => Promise.resolve(),
    stats: () => ({ entries: kept.size, bytes: 0, evictions: 0 }),
    close: () => Promise.resolve(),
  }
}

test('an answer is from the database once, then from the cache for its time', async () => {
  const clock = fakeClock()
  const answers = new ReadThrough(timedCache(clock), 30_000)
  let loads = 0
  const load = () => Promise.resolve(`answer ä ${++loads}`)
  assert.deepEqual(await answers.get(['a', 1], load), { text: 'answer ä 1', source: 'database' })
  assert.deepEqual(await answers.get(['a', 1], load), { text: 'answer ä 1', source: 'cache' })
  assert.deepEqual(await answers.get(['a', 2], load), { text: 'answer ä 2', source: 'database' })
  clock.advance(30_000)
  assert.deepEqual(await answers.get(['a', 1], load), { text: 'answer ä 3', source: 'database' })
  assert.deepEqual(answers.counts(), { requests: 4, hits: 1 })
})

test('those who ask at once share one read, and a failed one is not kept', async () => {
  const answers = new ReadThrough(timedCache(fakeClock()), 30_000)
  let loads = 0
  const load = async (): Promise<string> => {
    if (++loads === 1) throw new Error('not now')
    return 'good'
  }
  const asked = await Promise.allSettled([answers.get(['a'], load), answers.get(['a'], load)])
  assert.deepEqual(
    asked.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal(loads, 1)
  const again = await Promise.all([answers.get(['a'], load), answers.get(['a'], load)])
  assert.deepEqual(
    again.map(({ source }) => source),
    ['database', 'database'],
  )
  assert.equal(loads, 2)
})
