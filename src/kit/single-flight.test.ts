import assert from 'node:assert/strict'
import { test } from 'node:test'
import { singleFlight } from './single-flight.ts'

test('concurrent calls for one key share one run and its result', async () => {
  const once = singleFlight<object>()
  const gate = Promise.withResolvers<void>()
  let runs = 0
  const work = async (): Promise<object> => {
    runs++
    await gate.promise
    return {}
  }
  const calls = [once('a', work), once('a', work), once('b', work)]
  gate.resolve()
  const [first, second, other] = await Promise.all(calls)
  assert.equal(runs, 2)
  assert.equal(first, second)
  assert.notEqual(first, other)
})

test('a call after the result runs again', async () => {
  const once = singleFlight<number>()
  let runs = 0
  const work = (): Promise<number> => Promise.resolve(++runs)
  assert.equal(await once('a', work), 1)
  assert.equal(await once('a', work), 2)
})

test('a failure reaches everyone who shared it and is not kept', async () => {
  const once = singleFlight<number>()
  const fail = (): Promise<number> => {
    throw new Error('thrown before any promise')
  }
  const results = await Promise.allSettled([once('a', fail), once('a', fail)])
  assert.deepEqual(
    results.map(result => result.status),
    ['rejected', 'rejected'],
  )
  assert.equal(await once('a', () => Promise.resolve(7)), 7)
})
