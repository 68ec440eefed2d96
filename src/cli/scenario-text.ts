import type { EndpointResult, Tick } from '../lab/generator/load.ts'
import type { ScenarioResult } from '../lab/run/scenario.ts'

const HEAD = ['request', 'sent', 'good', 'other', 'failed', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms']

/** One second of it. */
export function tickText({ atMs, offered, achieved, failures, p99Ms, waiting }: Tick): string {
  const late = waiting === 0 ? '' : `, ${waiting} wait`
  return `${Math.round(atMs / 1000)} s: ${offered} offered, ${achieved} good, ${failures} failed, p99 ${ms(p99Ms)} ms${late}`
}

/** The end of it, for a person. */
export function scenarioText({ load, probes, verdict }: ScenarioResult): string {
  const rows = [HEAD, ...load.endpoints.map(cellsOf)]
  const widths = HEAD.map((_, i) => Math.max(...rows.map(row => row[i].length)))
  const table = rows.map(row =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
  )
  const lines = ['', ...table, '']
  const statuses = load.endpoints.map(
    ({ name, statuses }) =>
      `${name}: ${Object.entries(statuses)
        .map(([status, count]) => `${status} × ${count}`)
        .join(', ')}`,
  )
  lines.push(`statuses   ${statuses.join('; ')}`)
  lines.push(
    `points     ${load.acknowledgedPoints} acknowledged, ${load.uncertainPoints} uncertain`,
  )
  if (probes !== undefined && probes.ledger.missing === undefined) {
    const { stored, imbalance, unread } = probes.ledger
    if (unread === undefined) lines.push(`stored     ${stored} distinct, imbalance ${imbalance}`)
    if (probes.freshness.count > 0) lines.push(`freshness  p99 ${ms(probes.freshness.p99Ms)} ms`)
  }
  lines.push(`send lag   p99 ${ms(load.sendLag.p99Ms)} ms of the generator`)
  lines.push(`verdict    ${[verdict.outcome, ...verdict.breaches.map(b => b.detail)].join('; ')}`)
  return `${lines.join('\n')}\n`
}

function cellsOf({
  name,
  requests,
  successes,
  tolerated,
  failures,
  latency,
}: EndpointResult): string[] {
  const { p50Ms, p95Ms, p99Ms, maxMs } = latency
  return [
    name,
    ...[requests, successes, tolerated, failures].map(String),
    ...[p50Ms, p95Ms, p99Ms, maxMs].map(ms),
  ]
}

const ms = (value: number): string => value.toFixed(1)
