import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../../test/fixtures/fake-clock.ts'
import { WeirError } from '../../ports/errors.ts'
import { Retention } from './retention.ts'

const MINUTE_MS = 60_000

test('what could not be dropped is told, and dropped some minutes later', async () => {
  const startMs = 1_000_000
  const clock = fakeClock(startMs)
  const times: number[] = []
  const partitions = {
    dropBefore(time: number): Promise<void> {
      times.push(time)
      const busy = new WeirError('retryable', 'PostgreSQL: lock timeout (55P03)')
      return times.length === 2 ? Promise.reject(busy) : Promise.resolve()
    },
  }
  const warnings: string[] = []
  const onWarning = (message: string): void => void warnings.push(message)
  const retention = new Retention(partitions, { clock, retentionMs: 400_000, onWarning })
  for (let minutes = 0; minutes < 20; minutes++) clock.advance(MINUTE_MS)
  await retention.stop()
  clock.advance(100 * MINUTE_MS)
  assert.equal(times.length, 3)
  assert.match(warnings.join(), /^points that are older .* could not be dropped: .*55P03\)$/)
})
