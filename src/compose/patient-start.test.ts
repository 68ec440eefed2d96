import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff } from '../kit/backoff.ts'
import { WeirError } from '../ports/errors.ts'
import { patientStart } from './patient-start.ts'

const away = new WeirError('retryable', 'the database does not answer')

function setUp(
  fails: (tries: number) => Error | undefined,
  { timeoutMs = 60_000, signal }: { timeoutMs?: number; signal?: AbortSignal } = {},
) {
  let tries = 0
  const warned: unknown[] = []
  const logger = { warn: (message: unknown) => warned.push(message) }
  const open = async (): Promise<string> => {
    const error = fails(++tries)
    if (error !== undefined) throw error
    return `open after ${tries}`
  }
  const backoff = new Backoff({ firstMs: 2, lastMs: 4 })
  const started = patientStart(open, {
    ...{ timeoutMs, backoff, signal },
    logger: logger as unknown as Parameters<typeof patientStart>[1]['logger'],
  })
  return { started, warned, tries: () => tries }
}

test('a start waits for servers that come later, and says for what', async () => {
  const { started, warned } = setUp(tries => (tries < 4 ? away : undefined))
  assert.equal(await started, 'open after 4')
  assert.equal(warned.length, 3)
  assert.match(String(warned[0]), /the database does not answer; trying for (60|59) s more/)
})

test('it ends with the error of the last try when the time is over', async () => {
  const { started, tries } = setUp(() => away, { timeoutMs: 0 })
  await assert.rejects(started, away)
  assert.equal(tries(), 1)
})

test('what cannot become better is not tried again', async () => {
  const wrong = new WeirError('config', 'there is no such database')
  const { started, tries } = setUp(() => wrong)
  await assert.rejects(started, wrong)
  assert.equal(tries(), 1)
})

test('it gives up at a signal, between two tries and within one', async () => {
  const controller = new AbortController()
  const waiting = setUp(tries => (tries === 3 ? (controller.abort(), away) : away), {
    signal: controller.signal,
  })
  await assert.rejects(waiting.started, { name: 'StartGivenUp' })
  assert.equal(waiting.tries(), 3)
  const never = patientStart(() => new Promise(() => {}), {
    logger: { warn: () => {} },
    ...{ timeoutMs: 60_000, signal: controller.signal },
  })
  await assert.rejects(never, { name: 'StartGivenUp' })
})

test('what was nearly open at the signal is handed over, to be stopped in order', async () => {
  const { signal } = new AbortController()
  const aborted = AbortSignal.abort()
  for (const one of [signal, aborted]) {
    assert.equal(await setUp(() => undefined, { signal: one }).started, 'open after 1')
  }
})
