import { verdictOf, type Figure, type Goal } from './figure.ts'
import type { Machine } from './machine.ts'

const MB = 1024 * 1024

/** A number with the digits that mean something. */
export function written(value: number): string {
  if (Number.isNaN(value)) return '–'
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  if (Math.abs(value) >= 1e4) return `${(value / 1e3).toFixed(1)} k`
  return value >= 100 ? value.toFixed(0) : value.toFixed(2)
}

const bound = (goals: readonly Goal[], which: 'atLeast' | 'aim'): string =>
  goals
    .filter(goal => goal[which] !== undefined)
    .map(goal => {
      const label = goal.what === 'value' ? '' : goal.what === 'p50Ms' ? 'p50 ' : 'p99 '
      return `${label}${goal.better === 'higher' ? '≥' : '≤'} ${short(goal[which]!)}`
    })
    .join(', ')

const short = (value: number): string =>
  written(value)
    .replace(/(\.\d*?)0+(?= |$)/, '$1')
    .replace(/\.(?= |$)/, '')

const COLUMNS = [
  'figure',
  'measured',
  'p50 ms',
  'p99 ms',
  'at least',
  'aim',
  'result',
  'RSS (own) MB',
  'loop p99 ms',
  'cores: server, load, others',
]

function row(figure: Figure): string[] {
  const { observation: seen } = figure
  const ms = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(2))
  const memory =
    seen === undefined
      ? ''
      : `${(seen.rssBytes / MB).toFixed(0)} (${(seen.anonymousBytes / MB).toFixed(0)})`
  const cores =
    seen === undefined
      ? ''
      : [seen.serverCpu, figure.generatorCpu ?? 0, seen.otherCpu].map(ms).join(', ')
  return [
    figure.name,
    `${written(figure.value)} ${figure.unit}`,
    ms(figure.p50Ms),
    ms(figure.p99Ms),
    bound(figure.goals, 'atLeast'),
    bound(figure.goals, 'aim'),
    verdictOf(figure),
    memory,
    seen === undefined ? '' : ms(seen.loopDelayP99Ms),
    cores,
  ]
}

/** The result as a Markdown table, with what it was measured on. */
export function report(machine: Machine, figures: readonly Figure[], quick: boolean): string {
  const rows = [COLUMNS, ...figures.map(row)]
  const widths = COLUMNS.map((_, c) => Math.max(...rows.map(cells => cells[c].length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, c) => cell.padEnd(widths[c])).join(' | ')} |`
  const rule = `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`
  const { date, commit, cores, cpu, memoryGb, kernel, node } = machine
  const voids = new Map<string, string[]>()
  for (const { name, problems } of figures) {
    for (const problem of problems) voids.set(problem, [...(voids.get(problem) ?? []), name])
  }
  return [
    '',
    `${date} · ${commit} · ${cores} × ${cpu} · ${memoryGb} GB · ${kernel} · Node ${node}`,
    ...(quick ? ['Short runs (--quick): for a first look, not for quoting.'] : []),
    '',
    line(rows[0]),
    rule,
    ...rows.slice(1).map(line),
    ...(voids.size > 0 ? [''] : []),
    ...[...voids].map(([problem, names]) => `VOID: ${problem} (${names.join(', ')})`),
    '',
  ].join('\n')
}
