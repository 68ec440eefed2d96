import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { testCache } from '../../test/fixtures/test-cache.ts'
import { ReadThrough } from './read-through.ts'

test('an answer is from the database once, then from the cache for its time', async () => {
  const clock = fakeClock()
  const answers = new ReadThrough(testCache(clock), 30_000)
  let loads = 0
  const load = () => Promise.resolve(`answer ä ${++loads}`)
  assert.deepEqual(await answers.get(['a', 1], load), { text: 'answer ä 1', source: 'database' })
  assert.deepEqual(await answers.get(['a', 1], load), { text: 'answer ä 1', source: 'cache' })
  assert.deepEqual(await answers.get(['a', 2], load), { text: 'answer ä 2', source: 'database' })
  clock.advance(30_000)
  assert.deepEqual(await answers.get(['a', 1], load), { text: 'answer ä 3', source: 'database' })
})

test('those who ask at once share one read, and a failed one is not kept', async () => {
  const answers = new ReadThrough(testCache(), 30_000)
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
