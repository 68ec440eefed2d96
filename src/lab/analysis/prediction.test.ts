import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labResults } from '../report/results.fixture.ts'
import type { ResultOptions } from '../report/results.fixture.ts'
import type { LabRecord } from '../run/record.ts'
import { checkPredictions } from './prediction.ts'
import type { Change, Prediction } from './prediction.ts'
import { resultSet } from './result-set.ts'
import type { ResultSet } from './result-set.ts'

const made = results({})

function results(options: ResultOptions & { flags?: readonly string[]; rate?: number }): ResultSet {
  const { flags = [], rate = 1000, ...rest } = options
  const records = labResults({
    ...{ solutions: ['baseline', 'tune'], profiles: ['mixed'], blocks: 1, ...rest },
  })
  return resultSet(
    records.map((record): LabRecord => {
      if (record.kind === 'cell') return { ...record, maxRate: rate }
      if (record.kind !== 'run') return record
      const [first, ...others] = record.solutions
      return { ...record, solutions: [{ ...first, flags }, ...others] }
    }),
  )
}

function predicted(change: Partial<Change>, min = 900, max = 1200): Prediction {
  return {
    ...{ solution: 'baseline', profile: 'mixed', metric: 'maxRate', now: 800, text: '' },
    change: { text: 'a change', flags: [], ...change },
    expected: { min, max },
  }
}

const check = (prediction: Prediction, later: ResultSet) =>
  checkPredictions([prediction], made, later)[0]

test('a run with the flags of the change tests it', () => {
  const prediction = predicted({ flags: ['--postgres.poolSize=30'] })
  const flags = ['--postgres.poolSize=30']
  const held = check(prediction, results({ flags }))
  assert.equal(held.outcome, 'held')
  assert.equal(held.by, 'baseline')
  assert.equal(held.text, 'Held: baseline sustained 1000/s, expected 900 to 1200/s.')
  assert.equal(check(prediction, results({ flags, rate: 2000 })).outcome, 'failed')
  assert.equal(check(prediction, results({ flags, rate: 500 })).outcome, 'failed')
  assert.equal(check(prediction, results({})).outcome, 'not tested')
})

test('a bound is no sharper than the search that found the rate', () => {
  const flags = ['--postgres.poolSize=30']
  const prediction = predicted({ flags }, 900, 960)
  assert.equal(check(prediction, results({ flags, rate: 1000 })).outcome, 'held')
  assert.equal(check(prediction, results({ flags, rate: 1020 })).outcome, 'failed')
})

test('a prediction without a most fails below its least only', () => {
  const flags = ['--postgres.poolSize=30']
  const prediction = { ...predicted({ flags }), expected: { min: 900 } }
  const held = check(prediction, results({ flags, rate: 9000 }))
  assert.equal(held.text, 'Held: baseline sustained 9000/s, expected at least 900/s.')
  assert.equal(check(prediction, results({ flags, rate: 500 })).outcome, 'failed')
})

test('a topology that is the change tests it within the same run', () => {
  const prediction = predicted({ flags: ['--ingest.commit=merged'], topology: 'tune' })
  assert.equal(check(prediction, made).by, 'tune')
})

test('a topology that is a change of something else does not test it', () => {
  const prediction = { ...predicted({ topology: 'tune' }), solution: 'tune' }
  assert.equal(
    check({ ...prediction, change: { text: '', flags: ['x'] } }, made).outcome,
    'not tested',
  )
  const other = predicted({ flags: ['x'], topology: 'scale' })
  const set = results({ solutions: ['tune', 'scale'] })
  assert.equal(
    checkPredictions([{ ...other, solution: 'tune' }], set, set)[0].outcome,
    'not tested',
  )
})

test('the same once more is tested by another run, not by its own', () => {
  const prediction = predicted({})
  assert.equal(check(prediction, made).outcome, 'not tested')
  assert.equal(check(prediction, results({ seed: 8 })).outcome, 'held')
})

test('a prediction about a quicker disk waits for one', () => {
  const prediction = predicted({ fsync: 0.5 })
  const on = (fsyncP50Ms: number): ResultSet => {
    const set = results({ seed: 8 })
    return { ...set, run: { ...set.run, machine: { ...set.run.machine, fsyncP50Ms } } }
  }
  const { fsyncP50Ms } = made.run.machine
  assert.equal(check(prediction, on(fsyncP50Ms)).outcome, 'not tested')
  assert.equal(
    check(prediction, on(0.18)).text,
    'Not tested: it is about an fsync of 0.10 ms, and here it takes 0.18 ms.',
  )
  assert.equal(check(prediction, on(fsyncP50Ms * 0.55)).outcome, 'held')
})

test('a prediction about more cores waits for a machine that has them', () => {
  const prediction = predicted({ cores: 4 })
  assert.equal(check(prediction, results({ seed: 8 })).outcome, 'not tested')
  assert.equal(check(prediction, results({ cores: 4 })).outcome, 'held')
  const flags = ['--postgres.poolSize=30']
  assert.equal(check(predicted({ flags }), results({ flags, cores: 4 })).outcome, 'not tested')
})
