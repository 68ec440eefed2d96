import { estimate } from './bootstrap.ts'
import type { Estimate } from './bootstrap.ts'
import { bottlenecksOf } from './bottleneck.ts'
import type { Bottleneck } from './bottleneck.ts'
import { CAUSE_TITLES } from './causes.ts'
import { figure } from './causes/figure.ts'
import type { LabRecord } from '../run/record.ts'
import type { Role } from '../system/system.ts'
import { median, medianOf } from './median.ts'
import { isControl, ratiosOf } from './ratios.ts'
import type { Difference, Ratio } from './ratios.ts'
import { middleResult, resultSet } from './result-set.ts'
import type { Cell, ResultSet } from './result-set.ts'

/** The table's columns, exactly, in every form in which it is written. */
export const TABLE_COLUMNS = [
  'Solution ID',
  'Test Profile',
  'p95 Latency (ms)',
  'Error Rate (%)',
  'Max Sustainable RPS',
  'DB CPU Max (%)',
  'API CPU Max (%)',
  'SLO Status',
  'Notes',
] as const

/**
 * `met` in every block, or only in some (`partly`); `not met` at the lowest rate; `invalid`: points
 * were lost or doubled; `missing`: not measured, the notes say why.
 */
export type SloStatus = 'met' | 'partly' | 'not met' | 'invalid' | 'missing'

/** Figures are medians over blocks, of the step that confirmed the rate; absent: not measured. */
export interface TableRow {
  readonly solution: string
  readonly profile: string
  readonly p95Ms?: number
  readonly errorPct?: number
  readonly maxRate?: Estimate
  /** Percent of one core. Absent with a result: the solution has no database process. */
  readonly databaseCpuMaxPct?: number
  readonly apiCpuMaxPct?: number
  readonly slo: SloStatus
  readonly notes: readonly string[]
}

/** Every solution under every profile of the run, those without a result too. */
export function comparisonTable(records: readonly LabRecord[]): TableRow[] {
  const set = resultSet(records)
  return tableRows(set, { ratios: ratiosOf(set), bottlenecks: bottlenecksOf(set) })
}

export interface TableParts {
  readonly ratios: readonly Ratio[]
  readonly bottlenecks: readonly Bottleneck[]
}

export function tableRows(set: ResultSet, parts: TableParts): TableRow[] {
  return set.cells.map(cell => {
    const { solution, profile } = cell
    const isOf = (other: { solution: string; profile: string }): boolean =>
      other.solution === solution && other.profile === profile
    const slo = statusOf(cell)
    const notes = notesOf(cell, parts.ratios.find(isOf), parts.bottlenecks.find(isOf))
    if (cell.results.length === 0) return { solution, profile, slo, notes }
    const { results } = cell
    const database = cpuMaxOf(cell, 'database')
    const api = cpuMaxOf(cell, 'api')
    return {
      solution,
      profile,
      p95Ms: median(results.map(({ confirm }) => confirm.load.latency.p95Ms)),
      errorPct: median(results.map(({ confirm }) => confirm.load.errorShare * 100)),
      maxRate: estimate(results.map(({ end }) => end.maxRate)),
      ...(database === undefined ? {} : { databaseCpuMaxPct: database }),
      ...(api === undefined ? {} : { apiCpuMaxPct: api }),
      slo,
      notes,
    }
  })
}

/** The row as text, in the order of the columns; nothing is empty. */
export function rowTexts(row: TableRow): string[] {
  const isMissing = row.maxRate === undefined
  const text = (value: number | undefined, digits: number): string =>
    value === undefined ? 'missing' : value.toFixed(digits)
  const noDatabase = isMissing ? 'missing' : 'no database process'
  return [
    row.solution,
    row.profile,
    text(row.p95Ms, 1),
    text(row.errorPct, 2),
    text(row.maxRate?.median, row.maxRate !== undefined && row.maxRate.median < 100 ? 1 : 0),
    row.databaseCpuMaxPct === undefined ? noDatabase : row.databaseCpuMaxPct.toFixed(0),
    text(row.apiCpuMaxPct, 0),
    row.slo,
    row.notes.join('; '),
  ]
}

function cpuMaxOf({ results }: Cell, role: Role): number | undefined {
  return medianOf(
    results.map(
      ({ confirm }) => confirm.probes.roles.find(figures => figures.role === role)?.cpuMaxPct,
    ),
  )
}

function statusOf({ results, blocks }: Cell): SloStatus {
  if (results.length === blocks.length) return 'met'
  if (results.length > 0) return 'partly'
  const isInvalid = blocks.some(({ steps }) =>
    steps.some(step => step.verdict.outcome === 'invalid'),
  )
  if (isInvalid) return 'invalid'
  // A cell whose last step was void ends for the instrument's sake, not the solution's.
  const isFailed = blocks.some(
    ({ end, steps }) => end?.maxRate === 0 && steps.at(-1)?.verdict.outcome === 'fail',
  )
  return isFailed ? 'not met' : 'missing'
}

/** `at least; the generator's limit at 5200/s: …`, `at least 60000/s: no higher rate was tried …`. */
const AT_LEAST = /(?<=^at least\b.*)(?:the generator's limit|no higher rate was tried)/

function notesOf(cell: Cell, ratio?: Ratio, bottleneck?: Bottleneck): string[] {
  const notes: string[] = []
  if (isControl(cell.solution)) notes.push('A/A control')
  const { length } = cell.results
  if (length > 0) {
    const { interval, values } = estimate(cell.results.map(({ end }) => end.maxRate))
    notes.push(
      interval === undefined
        ? 'RPS of 1 block, no interval'
        : `RPS ${figure(interval.low)}–${figure(interval.high)} (${values.map(figure).join(', ')})`,
    )
  }
  if (ratio !== undefined && !isControl(cell.solution)) notes.push(ratioText(ratio))
  const bound = lowerBound(cell)
  const [limit] = bottleneck?.explanations ?? []
  // Its own limit was not reached, and what stands in its place is no cause.
  if (bound !== undefined) notes.push(`at least: ${bound}`)
  else if (limit !== undefined) notes.push(`limit: ${CAUSE_TITLES[limit.cause]}`)
  return [...notes, ...cell.missing]
}

/** Why a solution may hold more than was found, in the words of the search; undefined: it does not. */
function lowerBound(cell: Cell): string | undefined {
  const details = middleResult(cell)?.end.limit.map(({ detail }) => detail) ?? []
  const [bound] = details.flatMap(detail => AT_LEAST.exec(detail) ?? [])
  return bound
}

/** `1.42 × baseline (1.35–1.5), faster`. */
export function ratioText({ ratio, against, difference }: Ratio): string {
  const range = ratio.interval
    ? ` (${figure(ratio.interval.low)}–${figure(ratio.interval.high)})`
    : ''
  return `${figure(ratio.median)} × ${against}${range}, ${differenceText(difference)}`
}

export function differenceText(difference: Difference): string {
  return DIFFERENCES[difference]
}

const DIFFERENCES = {
  faster: 'faster',
  slower: 'slower',
  same: 'no difference shown',
  unknown: 'not decided',
} as const
