import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testCache } from '../../test/fixtures/test-cache.ts'
import { deviceScope, tenantScope } from '../model/data-scope.ts'
import { CachedQueries } from './cached-queries.ts'
import type { Queries } from './queries.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

const read = (maxPoints: number, devices = ['d']) => ({
  select: { tenant: 't', devices, metrics: [] },
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
  const cached = new CachedQueries({ queries, cache: testCache(), ttlMs: 1000 })
  const [one, two] = await Promise.all([cached.chart(read(5)), cached.chart(read(5))])
  assert.equal(text(one), 'answer 1')
  assert.equal(text(two), 'answer 1')
  assert.equal(text(await cached.chart(read(5))), 'answer 1')
  assert.equal(text(await cached.chart(read(6))), 'answer 2')
  assert.equal(calls(), 2)
})

test('without a time to live every question goes to the store', async () => {
  const { queries, calls } = counted()
  const cached = new CachedQueries({ queries, cache: testCache(), ttlMs: 0 })
  await cached.chart(read(5))
  await cached.chart(read(5))
  assert.equal(calls(), 2)
})

test('a write to one of its devices makes an answer be read again, another write does not', async () => {
  const { queries } = counted()
  const cache = testCache()
  const cached = new CachedQueries({ queries, cache, ttlMs: 1000 })
  const many = Array.from({ length: 100 }, (_, i) => `d${i}`)
  const ask = async (): Promise<string[]> => {
    const answers = []
    for (const devices of [['d'], ['d', 'e'], many])
      answers.push(await cached.chart(read(5, devices)))
    return answers.map(text)
  }
  const write = (device: string) => cache.invalidate([tenantScope('t'), deviceScope('t', device)])
  assert.deepEqual(await ask(), ['answer 1', 'answer 2', 'answer 3'])
  assert.deepEqual(await ask(), ['answer 1', 'answer 2', 'answer 3'])
  await write('e')
  assert.deepEqual(await ask(), ['answer 1', 'answer 4', 'answer 5'])
  await write('other')
  assert.deepEqual(await ask(), ['answer 1', 'answer 4', 'answer 6'])
  await cache.invalidate([tenantScope('other'), deviceScope('other', 'd')])
  assert.deepEqual(await ask(), ['answer 1', 'answer 4', 'answer 6'])
})

test('who asks after a write does not wait for a read from before it', async () => {
  const cache = testCache()
  const begun: ((answer: Uint8Array) => void)[] = []
  const queries = {
    chart: () => new Promise<Uint8Array>(resolve => void begun.push(resolve)),
  } as Partial<Queries> as Queries
  const cached = new CachedQueries({ queries, cache, ttlMs: 1000 })
  const before = cached.chart(read(5))
  const beside = cached.chart(read(5))
  await new Promise(setImmediate)
  assert.equal(begun.length, 1)
  await cache.invalidate([deviceScope('t', 'd')])
  const after = cached.chart(read(5))
  await new Promise(setImmediate)
  assert.equal(begun.length, 2)
  begun[1](Buffer.from('new'))
  assert.equal(text(await after), 'new')
  begun[0](Buffer.from('old'))
  assert.deepEqual((await Promise.all([before, beside])).map(text), ['old', 'old'])
  assert.equal(text(await cached.chart(read(5))), 'new')
})
