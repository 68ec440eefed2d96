import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMetrics } from './metrics-text.ts'
import { nodeFigures, type NodeSample } from './node-probe.ts'

test('of the Prometheus text only what is wanted is read, with its labels', () => {
  const text = [
    '# HELP log_lag_points Points',
    'log_lag_points{group="writer",process="processor-1"} 12',
    'log_lag_points{group="a \\"b\\" {c}"} 3e2',
    'log_lag_points_total 1',
    'cache_hits_total 7',
    'cache_requests_total NaN',
  ].join('\n')
  const found = readMetrics(text, new Set(['log_lag_points', 'cache_hits_total']))
  assert.deepEqual(found.get('log_lag_points'), [
    { labels: { group: 'writer', process: 'processor-1' }, value: 12 },
    { labels: { group: 'a \\"b\\" {c}' }, value: 300 },
  ])
  assert.deepEqual(found.get('cache_hits_total'), [{ labels: {}, value: 7 }])
  assert.equal(found.size, 2)
})

test('the pool is that of the kind of process that uses its own most', () => {
  const sample = (busy: number, cacheHits: number): NodeSample => ({
    atMs: 0,
    pools: new Map([
      ['gateway', { size: 30, busy: 3, waiting: 0 }],
      ['processor', { size: 15, busy, waiting: 2 }],
    ]),
    ...{ cacheRequests: cacheHits * 2, cacheHits, loopMs: 4, lagPoints: busy },
  })
  assert.deepEqual(nodeFigures([sample(10, 100), sample(14, 150)]), {
    ...{ eventLoopP99Ms: 4, poolSize: 15, poolBusyMean: 12, poolWaitingMean: 2 },
    ...{ cacheHitShare: 0.5, lagMaxPoints: 14 },
  })
  assert.deepEqual(nodeFigures([]), {})
})
