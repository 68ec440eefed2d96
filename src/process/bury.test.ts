import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeadLetters, NewDeadLetter } from '../ports/dead-letters.ts'
import type { LogEntry } from '../ports/log.ts'
import { bury } from './bury.ts'

const entry = {
  frame: Uint8Array.of(1, 2, 3),
  position: { partition: 2, offset: 7 },
} as unknown as LogEntry

/** Fails so many times before it takes them. */
function lettersThatFail(times: number): DeadLetters & { readonly kept: NewDeadLetter[] } {
  const kept: NewDeadLetter[] = []
  return {
    kept,
    put(letters) {
      if (times-- > 0) return Promise.reject(new Error('Kafka is away'))
      kept.push(...letters)
      return Promise.resolve()
    },
    // eslint-disable-next-line require-yield
    async *list() {},
    remove: () => Promise.resolve(),
  }
}

test('entries become dead letters with their bytes, place and reason, also at the second try', async () => {
  const deadLetters = lettersThatFail(1)
  const errors: boolean[] = []
  const onError = (_error: unknown, isLast: boolean): void => void errors.push(isLast)
  await bury(
    deadLetters,
    { entries: [entry], reason: 'out of range' },
    { group: 'writer', onError },
  )
  const { frame: bytes, position: source } = entry
  assert.deepEqual(deadLetters.kept, [{ bytes, source, reason: 'out of range', group: 'writer' }])
  assert.deepEqual(errors, [false])
})

test('what cannot be kept is told, the last time as such', async () => {
  const errors: boolean[] = []
  const onError = (_error: unknown, isLast: boolean): void => void errors.push(isLast)
  const options = { group: 'writer', onError, tries: 2 }
  await bury(lettersThatFail(9), { entries: [entry], reason: 'no' }, options)
  assert.deepEqual(errors, [false, true])
})
