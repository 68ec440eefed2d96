import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labResults } from '../report/results.fixture.ts'
import type { LabRecord } from '../run/record.ts'
import { differenceOf, noiseFloor, pairedRatio, ratiosOf, referenceOf } from './ratios.ts'
import { readingsOf, stackRatios } from './readings.ts'
import { findCell, resultSet } from './result-set.ts'
import type { ResultSet } from './result-set.ts'

/** The fixture's records with these rates in place of its own, by solution, a block each. */
function withRates(rates: Readonly<Record<string, readonly number[]>>): ResultSet {
  const solutions = Object.keys(rates)
  const blocks = rates[solutions[0]].length
  const records = labResults({ solutions, profiles: ['mixed'], blocks })
  return resultSet(
    records.map((record): LabRecord => {
      if (record.kind !== 'cell') return record
      const { solution, block } = record.cell
      return { ...record, maxRate: rates[solution][block - 1] }
    }),
  )
}

test('ratios are of the same block, so that a slow block does not count', () => {
  // Blocks differ by a factor of two; within each, tune is 1.2, 1.25 and 1.3 times the baseline.
  const set = withRates({ baseline: [100, 200, 150], tune: [120, 250, 195] })
  const [above, below] = ['tune', 'baseline'].map(id => findCell(set, id, 'mixed')!)
  const { ratio, difference } = pairedRatio(above, below)!
  assert.deepEqual(ratio.values, [1.2, 1.25, 1.3])
  assert.equal(ratio.median, 1.25)
  assert.deepEqual(ratio.interval, { low: 1.2, high: 1.3 })
  assert.equal(difference, 'faster')
})

test('faster takes an interval beyond 1, an effect of 10 %, and more than the noise', () => {
  const estimate = (low: number, median: number, high: number) => ({
    ...{ median, interval: { low, high }, values: [low, median, high] },
  })
  assert.equal(differenceOf(estimate(1.12, 1.2, 1.3)), 'faster')
  assert.equal(differenceOf(estimate(0.98, 1.2, 1.3)), 'same')
  assert.equal(differenceOf(estimate(1.01, 1.08, 1.2)), 'same')
  assert.equal(differenceOf(estimate(1.12, 1.2, 1.3), 0.25), 'same')
  assert.equal(differenceOf(estimate(0.7, 0.8, 0.95)), 'slower')
  assert.equal(differenceOf(estimate(0.7, 0.8, 0.95), 0.3), 'same')
  assert.equal(differenceOf(estimate(0.7, 0.93, 0.95)), 'same')
  assert.equal(differenceOf({ median: 3, values: [3] }), 'unknown')
})

test('the noise floor is the largest distance of the control from itself, up or down', () => {
  const set = withRates({ baseline: [100, 100, 100], 'baseline-again': [102, 80, 101] })
  const floor = noiseFloor(set)!
  assert.equal(floor.of, 'baseline')
  // 0.8 is as far from 1 as 1.25.
  assert.ok(Math.abs(floor.share - 0.25) < 1e-9)
  assert.equal(noiseFloor(withRates({ baseline: [100] })), undefined)
})

test('what is within the noise of the control is not called faster', () => {
  const rates = { baseline: [100, 100, 100], tune: [118, 120, 122] }
  const differenceIn = (set: ResultSet) =>
    ratiosOf(set).find(({ solution }) => solution === 'tune')!.difference
  assert.equal(differenceIn(withRates(rates)), 'faster')
  assert.equal(differenceIn(withRates({ ...rates, 'baseline-again': [100, 130, 100] })), 'same')
})

test('a block in which one of the two has no result is left out of their ratio', () => {
  const faults = { 'tune mixed 2': 'invalid' } as const
  const set = resultSet(
    labResults({ solutions: ['baseline', 'tune'], profiles: ['mixed'], faults }),
  )
  assert.equal(ratiosOf(set)[0].ratio.values.length, 2)
})

test('ablation, stack and the rest follow from the topology files', () => {
  const set = resultSet(labResults({ blocks: 1 }))
  const readings = readingsOf(set)
  assert.equal(referenceOf(set), 'baseline')
  assert.deepEqual(readings.ablation, ['tune', 'scale', 'cache', 'queue'])
  assert.deepEqual(readings.stack, ['baseline', 'tune', 'cluster'])
  assert.deepEqual(readings.apart, ['embedded'])
  const queue = readings.compositions.find(({ solution }) => solution === 'queue')!
  assert.equal(queue.extends, 'baseline')
  // What the queue also changes is said, since its name does not.
  assert.ok(queue.changes.includes('store.postgres.writes = merged'))
  assert.deepEqual(
    stackRatios(set, readings.stack)
      .filter(({ profile }) => profile === 'mixed')
      .map(({ solution, against }) => [solution, against]),
    [
      ['tune', 'baseline'],
      ['cluster', 'tune'],
    ],
  )
})

test('the steps of the stack that are flags on a topology come in their place', () => {
  const solutions = ['baseline', 'tune', 'stack-scale', 'stack-cache', 'cluster']
  const { stack, ablation } = readingsOf(resultSet(labResults({ blocks: 1, solutions })))
  assert.deepEqual(stack, solutions)
  assert.deepEqual(ablation, ['tune'])
})
