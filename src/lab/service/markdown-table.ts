import type { TestResult } from './benchmark.ts'

const COLUMNS = [
  'Test Type',
  'Date/Time',
  'Target RPS',
  'Actual RPS',
  'P99 Latency (ms)',
  'Error Rate',
  'Duration (s)',
] as const

/** The table of the streaming platform API, times in UTC. */
export function markdownTable(results: readonly TestResult[]): string {
  const rows = results.map(result => [
    testType(result),
    result.started_at.slice(0, 16).replace('T', ' '),
    String(result.target_rps),
    result.actual_rps.toFixed(1),
    result.p99_latency_ms === null ? '–' : result.p99_latency_ms.toFixed(1),
    percent(result.error_rate),
    result.duration_s.toFixed(1),
  ])
  const lines = [COLUMNS, COLUMNS.map(name => '-'.repeat(name.length)), ...rows]
  return lines.map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

/** A line that says nothing of the target, or not all of it, must not look like the others. */
function testType({ test_type, outcome, stopped }: TestResult): string {
  const marks = [...(outcome === 'void' ? ['void'] : []), ...(stopped ? ['stopped'] : [])]
  return marks.length === 0 ? test_type : `${test_type} (${marks.join(', ')})`
}

/** With one decimal, where it does not make a few errors none, or a few answers none. */
function percent(share: number): string {
  if (share > 0 && share < 0.0005) return '<0.1%'
  if (share < 1 && share >= 0.9995) return '>99.9%'
  return `${(share * 100).toFixed(1)}%`
}
