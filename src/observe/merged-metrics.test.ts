import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergedMetrics } from './merged-metrics.ts'
import { Metrics } from './metrics.ts'

function processOf(accepted: number): Metrics {
  const metrics = new Metrics()
  metrics.attach({
    doors: () => new Map([['http', { accepted, rejected: 0 }]]),
    lagPoints: () => new Map(),
    log: () => ({}),
    analytics: () => undefined,
    cache: () => ({
      ...{ requests: 0, hits: new Map(), entries: 0, bytes: 0, evictions: 0, invalidations: 0 },
    }),
    store: () =>
      Promise.resolve({ stored: 70, duplicate: 0, unsettled: 0, diskBytes: 1, memoryBytes: 2 }),
  })
  metrics.observeAppend(0.002)
  return metrics
}

test('each process has its own values, and what they share is told once', async () => {
  const [one, two] = [processOf(3), processOf(4)]
  const text = await mergedMetrics([
    { process: 'gateway-1', metrics: await one.json() },
    { process: 'gateway-2', metrics: await two.json() },
  ])
  const lines = text.split('\n')
  const of = (name: string) => lines.filter(line => line.startsWith(`${name}{`))
  assert.deepEqual(
    of('telemetry_points_total').filter(line => line.includes('accepted')),
    [
      'telemetry_points_total{door="http",outcome="accepted",process="gateway-1"} 3',
      'telemetry_points_total{door="http",outcome="accepted",process="gateway-2"} 4',
    ],
  )
  assert.deepEqual(
    of('weir_store_points').filter(line => line.includes('"stored"')),
    ['weir_store_points{state="stored"} 70'],
  )
  assert.equal(of('log_append_duration_seconds_count').length, 2)
  assert.match(text, /log_append_duration_seconds_bucket\{le="0.0025",process="gateway-1"\} 1/)
  assert.equal(lines.filter(line => line === '# TYPE telemetry_points_total counter').length, 1)
  assert.match(text, /process_cpu_seconds_total\{process="gateway-2"\}/)
})
