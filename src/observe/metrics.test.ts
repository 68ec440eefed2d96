import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics, type MetricSources } from './metrics.ts'

function attached(change: Partial<MetricSources> = {}): Metrics {
  const metrics = new Metrics()
  metrics.attach({
    doors: () => new Map([['http', { accepted: 40, rejected: 2 }]]),
    mqtt: () => ({ clients: 3, messages: new Map([['received', 9]]) }),
    lagPoints: () => new Map([['writer', 11]]),
    log: () => ({ lag: new Map([['writer', 5]]), expired: 3 }),
    cache: () => ({
      ...{ hits: new Map([['memory', 2] as const, ['shared', 1] as const]), requests: 4 },
      ...{ invalidations: 3, entries: 5, bytes: 6, evictions: 7 },
    }),
    servers: () =>
      new Map([['cache', { isUp: true, answered: 8, timeouts: 1, errors: 0, skipped: 2 }]]),
    devices: () => ({ online: 5 }),
    violations: () => [{ outcome: 'flagged', reason: 'out_of_range', count: 6 }],
    analytics: () => ({
      found: new Map([['high', 6]]),
      ...{ suppressed: 7, points: 20, late: 2, repeated: 3, series: 12, evicted: 1 },
    }),
    store: () =>
      Promise.resolve({ stored: 30, duplicate: 1, unsettled: 0, diskBytes: 8, memoryBytes: 9 }),
    bridges: () => [],
    ...change,
  })
  return metrics
}

test('counters are what the parts count, however often they are scraped', async () => {
  const metrics = attached()
  await metrics.text()
  const lines = (await metrics.text()).split('\n')
  for (const line of [
    'telemetry_points_total{door="http",outcome="accepted"} 40',
    'telemetry_points_total{door="http",outcome="rejected"} 2',
    'mqtt_messages_total{kind="received"} 9',
    'mqtt_connected_clients 3',
    'telemetry_violations_total{outcome="flagged",reason="out_of_range"} 6',
    'log_lag_points{group="writer"} 11',
    'log_lag_entries{group="writer"} 5',
    'log_expired_entries_total 3',
    'cache_requests_total 4',
    'anomalies_total{severity="high"} 6',
    'weir_anomalies_suppressed_total 7',
    'weir_analytics_points_total{outcome="taken"} 15',
    'weir_analytics_series 12',
    'cache_hits_total 3',
    'weir_cache_tier_hits_total{tier="memory"} 2',
    'weir_cache_tier_hits_total{tier="shared"} 1',
    'weir_cache_invalidations_total 3',
    'weir_cache_bytes 6',
    'weir_redis_up{use="cache"} 1',
    'weir_redis_commands_total{use="cache",outcome="timeout"} 1',
    'weir_store_points{state="stored"} 30',
  ]) {
    assert.ok(lines.includes(line), line)
  }
})

test('a database tells its connections and slowest statements; one that is away leaves only them out', async () => {
  const statement = 'SELECT "x"'
  let isAway = false
  const metrics = attached()
  metrics.attachDatabase(() =>
    isAway
      ? Promise.reject(new Error('away'))
      : Promise.resolve({
          connections: { size: 15, inUse: 2, idle: 3, waiting: 4 },
          statements: [{ statement, calls: 7, totalMs: 1500 }],
        }),
  )
  for (let scrape = 0; scrape < 2; scrape++) {
    const text = await metrics.text()
    for (const line of [
      'weir_database_connections{state="in_use"} 2',
      'weir_database_connections{state="waiting"} 4',
      'weir_database_statement_calls_total{statement="SELECT \\"x\\""} 7',
      'weir_database_statement_seconds_total{statement="SELECT \\"x\\""} 1.5',
    ]) {
      assert.ok(text.includes(line), line)
    }
  }
  isAway = true
  const text = await metrics.text()
  assert.ok(!text.includes('state="in_use"'))
  assert.ok(text.includes('telemetry_points_total{'))
})

test('a request is in the histogram of its route and in the counter', async () => {
  const metrics = attached()
  const request = { method: 'GET', route: '/x/:id', status: 200 }
  metrics.observeRequest(request, 0.004)
  metrics.observeRequest(request, 0.2)
  const text = await metrics.text()
  const labels = 'method="GET",route="/x/:id",status="200"'
  for (const line of [
    `http_request_duration_seconds_bucket{${labels},le="0.0025"} 0`,
    `http_request_duration_seconds_bucket{${labels},le="0.005"} 1`,
    `http_request_duration_seconds_bucket{${labels},le="+Inf"} 2`,
    `http_request_duration_seconds_sum{${labels}} 0.204`,
    `http_request_duration_seconds_count{${labels}} 2`,
    `http_requests_total{${labels}} 2`,
  ]) {
    assert.ok(text.includes(line), line)
  }
})

test('what a store that is away cannot say is left out, and it is asked once a scrape', async () => {
  let asked = 0
  const metrics = attached({
    store: () => {
      asked++
      return Promise.reject(new Error('away'))
    },
  })
  const text = await metrics.text()
  assert.match(text, /telemetry_points_total\{door="http",outcome="accepted"\} 40/)
  assert.doesNotMatch(text, /weir_store_points\{/)
  assert.equal(asked, 1)
})
