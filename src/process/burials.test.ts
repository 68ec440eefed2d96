import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../test/fixtures/until.ts'
import type { DeadLetters, NewDeadLetter } from '../ports/dead-letters.ts'
import type { LogEntry } from '../ports/log.ts'
import { Burials, type BurialsOptions } from './burials.ts'

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

function burying(deadLetters: DeadLetters, options: Partial<BurialsOptions> = {}) {
  const errors: boolean[] = []
  const burials = new Burials({
    ...{ deadLetters, group: 'writer', closeTimeoutMs: 60_000 },
    onError: (_error, isLast) => errors.push(isLast),
    ...options,
  })
  return { burials, errors }
}

test('entries become dead letters with their bytes, place and reason, also at the second try', async () => {
  const deadLetters = lettersThatFail(1)
  const { burials, errors } = burying(deadLetters)
  burials.bury([entry], 'out of range')
  await until('they are kept', () => deadLetters.kept.length > 0)
  const { frame: bytes, position: source } = entry
  assert.deepEqual(deadLetters.kept, [{ bytes, source, reason: 'out of range', group: 'writer' }])
  assert.deepEqual(errors, [false])
})

test('what cannot be kept is told, the last time as such', async () => {
  const { burials, errors } = burying(lettersThatFail(9), { tries: 2 })
  burials.bury([entry], 'no')
  await until('it is told', () => errors.length === 2)
  assert.deepEqual(errors, [false, true])
})

test('the end waits for what is not kept yet, and tries it once more at once', async () => {
  const deadLetters = lettersThatFail(2)
  const { burials, errors } = burying(deadLetters, { tries: 4 })
  burials.bury([entry], 'out of range')
  await until('it has failed once', () => errors.length === 1)
  await burials.close()
  assert.equal(deadLetters.kept.length, 1)
  assert.deepEqual(errors, [false, false])
})

test('the end does not wait for ever', async () => {
  const never = { ...lettersThatFail(0), put: () => new Promise<void>(() => {}) }
  const hanging = burying(never, { closeTimeoutMs: 20 })
  hanging.burials.bury([entry], 'out of range')
  await hanging.burials.close()
  const failing = burying(lettersThatFail(1000), { closeTimeoutMs: 20 })
  failing.burials.bury([entry], 'out of range')
  await failing.burials.close()
  await until('the last try is told as such', () => failing.errors.at(-1) === true)
})
