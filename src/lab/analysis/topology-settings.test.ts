import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labResults } from '../report/results.fixture.ts'
import { readingsOf } from './readings.ts'
import { resultSet } from './result-set.ts'
import { allSettings, isOrExtends, ownSettings, settingText } from './topology-settings.ts'

// As a run records them: by the names of the files, with those that they extend.
const topologies = {
  'baseline.yaml':
    'store:\n  engine: postgres\n  postgres:\n    writes: single\ncache:\n  engine: memory # small\n',
  'tune.yaml': 'extends: baseline\nstore:\n  postgres:\n    writes: merged\n',
  'cluster.yaml': 'extends: tune\ncache:\n  engine: tiered\n',
  'mine.yaml': 'extends: ./parts/base.yaml\nlog:\n  engine: kafka\n',
  'base.yaml': 'extends: tune\n',
}

const texts = (topology: string, ...flags: string[]): string[] =>
  allSettings(topologies, { topology, flags }).map(settingText)

test('what a topology extends is found, though no solution of the run is it', () => {
  assert.deepEqual(texts('cluster'), [
    'cache.engine = tiered',
    'store.postgres.writes = merged',
    'store.engine = postgres',
  ])
  assert.ok(isOrExtends(topologies, 'cluster', 'baseline'))
  assert.ok(!isOrExtends(topologies, 'baseline', 'cluster'))
})

test('a topology that was named by its path is found by the name of its file', () => {
  assert.deepEqual(texts('./topologies/mine.yaml'), [
    'log.engine = kafka',
    'store.postgres.writes = merged',
    'store.engine = postgres',
    'cache.engine = memory',
  ])
})

test('a flag is a setting like those of a file, and stands in the place of its file’s', () => {
  const composed = { topology: 'cluster', flags: ['--cache.engine=memory', '--analytics.enabled'] }
  assert.deepEqual(ownSettings(topologies, composed).map(settingText), [
    'cache.engine = memory',
    'analytics.enabled = true',
  ])
  assert.deepEqual(texts('tune', '--cache.engine=tiered').slice(0, 2), [
    'store.postgres.writes = merged',
    'cache.engine = tiered',
  ])
})

test('topologies that extend each other come to an end', () => {
  const round = { 'a.yaml': 'extends: b\nx: 1\n', 'b.yaml': 'extends: a\ny: 2\n' }
  const settings = allSettings(round, { topology: 'a', flags: [] })
  assert.deepEqual(settings.map(settingText), ['x = 1', 'y = 2'])
})

test('a solution whose parent is not in the run is no other composition', () => {
  const records = labResults({ blocks: 1, solutions: ['baseline', 'cluster', 'embedded'] })
  const [run, ...rest] = records
  assert.ok(run.kind === 'run')
  const machine = { ...run.machine, topologies: { ...topologies, 'embedded.yaml': 'store:\n' } }
  const { apart, ablation } = readingsOf(resultSet([{ ...run, machine }, ...rest]))
  assert.deepEqual(apart, ['embedded'])
  assert.deepEqual(ablation, [])
})
