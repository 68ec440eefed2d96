import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refresher } from './refresher.ts'

const times = { gapMs: 1, patienceMs: 60_000 }

test('all who wait share a question, and who comes after it has begun gets the next', async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let asked = 0
  const refresher = new Refresher({
    ...times,
    ask(begin) {
      begin()
      return gates[asked++].promise
    },
  })
  const first = [refresher.refresh(), refresher.refresh(), refresher.refresh()]
  while (asked === 0) await new Promise(resolve => setImmediate(resolve))
  let isAnswered = false
  const late = refresher.refresh().then(() => (isAnswered = true))
  gates[0].resolve()
  await Promise.all(first)
  assert.equal(isAnswered, false)
  gates[1].resolve()
  await late
  assert.equal(asked, 2)
})

test('a failure is no answer, and the next call asks again', async () => {
  let asked = 0
  const refresher = new Refresher({ ...times, ask: () => Promise.reject(new Error(`${asked++}`)) })
  await refresher.refresh()
  await refresher.refresh()
  assert.equal(asked, 2)
})

test('nobody waits for ever', async () => {
  const { promise: never } = Promise.withResolvers<void>()
  const refresher = new Refresher({ gapMs: 1, patienceMs: 1, ask: () => never })
  await refresher.refresh()
})
