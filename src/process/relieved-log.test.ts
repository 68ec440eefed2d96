import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { Log } from '../ports/log.ts'
import { relievedLog } from './relieved-log.ts'

test('a full log asks for relief, not twice at once and not all the time', async () => {
  const clock = fakeClock()
  let failure: WeirError | undefined
  const full = { append: () => (failure ? Promise.reject(failure) : Promise.resolve()) }
  const reliefs: PromiseWithResolvers<void>[] = []
  const relieve = (): Promise<void> => {
    reliefs.push(Promise.withResolvers<void>())
    return reliefs[reliefs.length - 1].promise
  }
  const log = relievedLog(full as unknown as Log, { clock, relieve })
  await log.append([])
  failure = new WeirError('closed', 'a sync failed')
  await assert.rejects(log.append([]), failure)
  assert.equal(reliefs.length, 0, 'no relief helps that')

  failure = new WeirError('retryable', 'full', { code: 'disk_full' })
  for (let i = 0; i < 3; i++) await assert.rejects(log.append([]), failure)
  assert.equal(reliefs.length, 1)
  clock.advance(5000)
  await assert.rejects(log.append([]), failure)
  assert.equal(reliefs.length, 1, 'one is under way')
  reliefs[0].reject(new Error('the store cannot write either'))
  await new Promise(resolve => setImmediate(resolve))
  await assert.rejects(log.append([]), failure)
  await assert.rejects(log.append([]), failure)
  assert.equal(reliefs.length, 2)
})
