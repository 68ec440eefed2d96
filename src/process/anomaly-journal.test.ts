import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { memoryAnomalies } from '../../test/fixtures/memory-anomalies.ts'
import { until } from '../../test/fixtures/until.ts'
import type { Anomaly } from '../model/anomaly.ts'
import { AnomalyJournal } from './anomaly-journal.ts'

const NOW = Date.parse('2026-11-20T10:00:00Z')

function journalOf(options: { maxPerSecond?: number; maxPerTenant?: number } = {}) {
  const anomalies = memoryAnomalies()
  const clock = fakeClock(NOW)
  const errors: unknown[] = []
  const journal = new AnomalyJournal({
    ...{ anomalies, clock, maxPerSecond: 10, maxPerTenant: 100, retentionMs: 60_000 },
    onError: error => errors.push(error),
    ...options,
  })
  const count = async () => (await anomalies.countByDevice('default')).get('d') ?? 0
  return { journal, anomalies, clock, errors, count }
}

const at = (timeUs: number): Anomaly => ({
  ...{ tenant: 'default', device: 'd', metric: 'm', timeUs, detector: 'x' },
  ...{ severity: 'low', value: 1, average: 2, deviationPct: -50, score: -9 },
})

test('anomalies are saved within a second, and what is saved again is one', async () => {
  const { journal, clock, count } = journalOf()
  journal.add(at(NOW * 1000))
  journal.add(at(NOW * 1000))
  assert.equal(await count(), 0)
  clock.advance(1000)
  await until('the anomaly is saved', async () => (await count()) === 1)
  assert.deepEqual(
    [...journal.found].find(([severity]) => severity === 'low'),
    ['low', 2],
  )
  journal.stop()
})

test('in one second no more are taken than the bound, and the others are counted', () => {
  const { journal, clock } = journalOf({ maxPerSecond: 3 })
  const take = (): boolean => {
    const admitted = journal.admits(true)
    if (admitted) journal.add(at(1))
    return admitted
  }
  assert.deepEqual([take(), take(), take(), take(), take()], [true, true, true, false, false])
  assert.equal(journal.suppressed, 2)
  clock.advance(1000)
  assert.equal(take(), true)
  assert.equal(journal.admits(false), true)
  journal.stop()
})

test('what could not be saved is tried again, and what waits is bounded', async () => {
  const { journal, anomalies, clock, errors, count } = journalOf({ maxPerSecond: 2 })
  anomalies.failure = new Error('the disk is full')
  let taken = 0
  for (let second = 0; second < 30; second++) {
    for (let i = 0; i < 4; i++) {
      if (!journal.admits(true)) continue
      journal.add(at(NOW * 1000 + taken++))
    }
    await assert.rejects(journal.save(), /disk is full/)
    clock.advance(1000)
  }
  assert.equal(taken, 20)
  await until('the ticks have told their errors', () => errors.length > 0)
  anomalies.failure = undefined
  await journal.save()
  assert.equal(await count(), 20)
  journal.stop()
})

test('syncing reaches the disk only when something was saved since the last time', async () => {
  const { journal, anomalies } = journalOf()
  await journal.sync()
  assert.equal(anomalies.syncs, 0)
  journal.add(at(1))
  await journal.sync()
  await journal.sync()
  assert.equal(anomalies.syncs, 1)
  journal.add(at(2))
  await journal.save()
  anomalies.failure = new Error('not now')
  await assert.rejects(journal.sync(), /not now/)
  anomalies.failure = undefined
  await journal.sync()
  assert.equal(anomalies.syncs, 2)
  journal.stop()
})

test('every minute what is too old or too much is removed', async () => {
  const { journal, clock, count, anomalies } = journalOf({ maxPerTenant: 3 })
  const times = [1, ...[1, 2, 3, 4].map(i => (NOW + 60_000) * 1000 + i)]
  await anomalies.save(times.map(at))
  clock.advance(60_000)
  await until('they are trimmed', async () => (await count()) === 3)
  journal.stop()
})
