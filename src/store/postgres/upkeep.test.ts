import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../../test/fixtures/fake-clock.ts'
import { until } from '../../../test/fixtures/until.ts'
import { WeirError } from '../../ports/errors.ts'
import { Upkeep } from './upkeep.ts'

const MINUTE_MS = 60_000

test('a task that failed is told, holds up no other one, and is done some minutes later', async () => {
  const clock = fakeClock()
  const runs = { first: 0, second: 0 }
  const first = {
    failure: 'old points could not be dropped',
    run(): Promise<void> {
      const busy = new WeirError('retryable', 'PostgreSQL: lock timeout (55P03)')
      return ++runs.first === 2 ? Promise.reject(busy) : Promise.resolve()
    },
  }
  const second = {
    failure: 'never',
    async run(): Promise<void> {
      runs.second++
    },
  }
  const warnings: string[] = []
  const onWarning = (message: string): void => void warnings.push(message)
  const upkeep = new Upkeep([first, second], { clock, onWarning })
  for (let ticks = 1; ticks <= 2; ticks++) {
    clock.advance(10 * MINUTE_MS)
    await until('the tasks have run', () => runs.second === ticks + 1)
  }
  await upkeep.stop()
  clock.advance(100 * MINUTE_MS)
  assert.deepEqual(runs, { first: 3, second: 3 })
  assert.deepEqual(warnings, ['old points could not be dropped: PostgreSQL: lock timeout (55P03)'])
})

test('a stop breaks off what runs, and begins no other task', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let hasBegun = false
  const long = { failure: 'never', run: () => promise, stop: async () => resolve() }
  const next = {
    failure: 'never',
    async run(): Promise<void> {
      hasBegun = true
    },
  }
  const upkeep = new Upkeep([long, next], { clock: fakeClock(), onWarning: assert.fail })
  // So that the first one runs.
  await Promise.resolve()
  await upkeep.stop()
  assert.equal(hasBegun, false)
})
