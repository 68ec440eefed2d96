import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cache } from '../ports/cache.ts'
import { CachedQueries } from './cached-queries.ts'
import type { Queries } from './queries.ts'

function mapCache(): Cache {
  const kept = new Map<string, Uint8Array>()
  return {
    get: key => Promise.resolve(kept.get(key)),
    set: (key, value) => Promise.resolve(void kept.set(key, value)),
    invalidate: () => Promise.resolve(),
    stats: () => ({ entries: kept.size, bytes: 0, evictions: 0 }),
    close: () => Promise.resolve(),
  }
}

const read = (maxPoints: number) => ({
  select: { tenant: 't', devices: ['d'], metrics: [] },
  range: { start: 0, end: 1 },
  maxPoints,
})

function counted(): { queries: Queries; calls: () => number } {
  let calls = 0
  const queries = { chart: () => Promise.resolve(Buffer.from(`answer ${++calls}`)) }
  return { queries: queries as Partial<Queries> as Queries, calls: () => calls }
}

test('an answer is kept for its time, whoever asks, and other questions are asked', async () => {
  const { queries, calls } = counted()
  const cached = new CachedQueries({ queries, cache: mapCache(), ttlMs: 1000 })
  const [one, two] = await Promise.all([cached.chart(read(5)), cached.chart(read(5))])
  assert.equal(String(one), 'answer 1')
  assert.equal(String(two), 'answer 1')
  assert.equal(String(await cached.chart(read(5))), 'answer 1')
  assert.equal(String(await cached.chart(read(6))), 'answer 2')
  assert.equal(calls(), 2)
  assert.deepEqual(cached.counts(), { requests: 4, hits: 1 })
})

test('without a time to live every question goes to the store', async () => {
  const { queries, calls } = counted()
  const cached = new CachedQueries({ queries, cache: mapCache(), ttlMs: 0 })
  await cached.chart(read(5))
  await cached.chart(read(5))
  assert.equal(calls(), 2)
})
