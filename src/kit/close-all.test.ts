import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeAll } from './close-all.ts'

test('all are closed in order, and the first failure is told', async () => {
  const closed: string[] = []
  const closer = (name: string, fails: boolean) => async () => {
    await Promise.resolve()
    closed.push(name)
    if (fails) throw new Error(name)
  }
  const closers = [closer('a', false), closer('b', true), closer('c', true), closer('d', false)]
  await assert.rejects(closeAll(closers), /^Error: b$/)
  assert.deepEqual(closed, ['a', 'b', 'c', 'd'])
  await closeAll([closer('e', false)])
})
