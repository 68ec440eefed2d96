import { isDeepStrictEqual } from 'node:util'
import { WeirError } from '../../ports/errors.ts'
import type { Workload } from '../workloads/workload.ts'
import { analyse, predictionsOf } from './analysis.ts'
import type { Analysis } from './analysis.ts'
import { estimateRatio } from './bootstrap.ts'
import type { Estimate } from './bootstrap.ts'
import { median } from './median.ts'
import { checkPredictions } from './prediction.ts'
import type { PredictionCheck } from './prediction.ts'
import { differenceOf } from './ratios.ts'
import type { Difference } from './ratios.ts'
import type { LabRecord, RunRecord } from '../run/record.ts'
import type { Cell } from './result-set.ts'
import { findCell } from './result-set.ts'

/** One cell of two result sets; the ratio is B ÷ A, with medians and intervals that are not paired. */
export interface CellComparison {
  readonly solution: string
  readonly profile: string
  readonly a?: number
  readonly b?: number
  readonly ratio?: Estimate
  readonly difference?: Difference
  /** Why there is no ratio. */
  readonly missing?: string
}

export interface ChangedFact {
  readonly fact: string
  readonly a: string
  readonly b: string
}

export interface ResultComparison {
  /** What differs between the two runs besides their results; empty: the same was run twice. */
  readonly changed: readonly ChangedFact[]
  /** The larger noise floor of both; a smaller difference means nothing. Absent: none has one. */
  readonly noise?: number
  readonly cells: readonly CellComparison[]
  /** Of A, against B. */
  readonly predictions: readonly PredictionCheck[]
  readonly warnings: readonly string[]
}

/**
 * @throws WeirError `rejected` where the two measured different things: another SLO, other
 *   definitions of a profile, or nothing in common.
 */
export function compareResults(
  recordsA: readonly LabRecord[],
  recordsB: readonly LabRecord[],
): ResultComparison {
  const a = analyse(recordsA)
  const b = analyse(recordsB)
  refuseIncomparable(a.set.run, b.set.run)
  const floors = [a.noise?.share, b.noise?.share].filter(share => share !== undefined)
  const noise = floors.length === 0 ? undefined : Math.max(...floors)
  return {
    changed: changedFacts(a.set.run, b.set.run),
    ...(noise === undefined ? {} : { noise }),
    cells: pairsOf(a, b).map(pair => compareCell(pair, noise)),
    predictions: checkPredictions(predictionsOf(a.bottlenecks), a.set, b.set),
    warnings: warningsOf(a.set.run, b.set.run),
  }
}

function refuseIncomparable(a: RunRecord, b: RunRecord): void {
  if (!isDeepStrictEqual(a.slo, b.slo)) {
    const differing = (Object.keys(a.slo) as (keyof RunRecord['slo'])[])
      .filter(rule => a.slo[rule] !== b.slo[rule])
      .map(rule => `${rule} ${a.slo[rule]} and ${b.slo[rule]}`)
    throw new WeirError(
      'rejected',
      `these results cannot be compared: their SLO differs (${differing.join(', ')}), so that a ` +
        `rate of one is no rate of the other; run one of them again`,
    )
  }
  const shared = a.profiles.filter(profile => b.profiles.includes(profile))
  const ids = a.solutions.filter(({ id }) => b.solutions.some(other => other.id === id))
  if (shared.length === 0 || ids.length === 0) {
    const what = shared.length === 0 ? 'profile' : 'solution'
    throw new WeirError('rejected', `these results cannot be compared: they share no ${what}`)
  }
  const other = shared.filter(profile => {
    const [first, second] = [workloadOf(a, profile), workloadOf(b, profile)]
    if (first === undefined || second === undefined) return false
    // How it runs when nobody searches, and its words, change no result of a search.
    const { executor, title, summary } = first
    return !isDeepStrictEqual(first, { ...second, executor, title, summary })
  })
  if (other.length > 0) {
    throw new WeirError(
      'rejected',
      `these results cannot be compared: the definition of ${other.join(', ')} differs between ` +
        `them (requests, devices, history or SLO); run one of them again`,
    )
  }
}

function workloadOf({ workloads }: RunRecord, profile: string): Workload | undefined {
  return workloads?.find(({ id }) => id === profile)
}

type Pair = { solution: string; profile: string; a: Cell | undefined; b: Cell | undefined }

/** All cells of A, then those that only B has. */
function pairsOf({ set: a }: Analysis, { set: b }: Analysis): Pair[] {
  const first = a.cells.map(cell => ({
    ...{ solution: cell.solution, profile: cell.profile, a: cell },
    b: findCell(b, cell.solution, cell.profile),
  }))
  const rest = b.cells.filter(cell => findCell(a, cell.solution, cell.profile) === undefined)
  const second = rest.map(cell => ({
    ...{ solution: cell.solution, profile: cell.profile, a: undefined, b: cell },
  }))
  return [...first, ...second]
}

function compareCell({ solution, profile, a, b }: Pair, noise?: number): CellComparison {
  const key = { solution, profile }
  const ratesA = a?.results.map(({ end }) => end.maxRate) ?? []
  const ratesB = b?.results.map(({ end }) => end.maxRate) ?? []
  if (ratesA.length > 0 && ratesB.length > 0) {
    const ratio = estimateRatio(ratesB, ratesA)
    const rates = { a: rateOf(ratesA), b: rateOf(ratesB) }
    return { ...key, ...rates, ratio, difference: differenceOf(ratio, noise) }
  }
  const why = [reason('A', a), reason('B', b)].filter(text => text !== '').join('; ')
  return {
    ...key,
    ...(ratesA.length > 0 ? { a: rateOf(ratesA) } : {}),
    ...(ratesB.length > 0 ? { b: rateOf(ratesB) } : {}),
    missing: why,
  }
}

function rateOf(rates: readonly number[]): number {
  return median(rates)
}

function reason(name: string, cell: Cell | undefined): string {
  if (cell === undefined) return `${name} did not run it`
  return cell.results.length > 0 ? '' : `${name}: ${cell.missing.join(', ')}`
}

function changedFacts(a: RunRecord, b: RunRecord): ChangedFact[] {
  const changed: ChangedFact[] = []
  const compare = (fact: string, of: (run: RunRecord) => unknown): void => {
    const [first, second] = [textOf(of(a)), textOf(of(b))]
    if (first !== second) changed.push({ fact, a: first, b: second })
  }
  compare('commit', ({ machine }) => machine.commit)
  compare('processor', ({ machine }) => machine.cpu)
  compare('cores', ({ machine }) => machine.cores)
  compare('memory, bytes', ({ machine }) => machine.memoryBytes)
  compare('kernel', ({ machine }) => machine.kernel)
  compare('node', ({ machine }) => machine.node)
  compare('servers', ({ machine }) => machine.servers.join(', '))
  compare('seed', ({ seed }) => seed)
  compare('blocks', ({ blocks }) => blocks)
  compare('quick', ({ isQuick }) => (isQuick ? 'yes' : 'no'))
  for (const phase of Object.keys({ ...a.phases, ...b.phases }) as (keyof RunRecord['phases'])[]) {
    compare(`phases.${phase}`, ({ phases }) => phases[phase])
  }
  const names = new Set([a, b].flatMap(({ machine }) => Object.keys(machine.topologies)))
  for (const name of names) {
    const [first, second] = [a.machine.topologies[name], b.machine.topologies[name]]
    if (first !== undefined && second !== undefined && first !== second) {
      changed.push({ fact: `topology ${name}`, ...linesApart(first, second) })
    }
  }
  for (const { id, flags } of a.solutions) {
    const other = b.solutions.find(solution => solution.id === id)
    if (other === undefined) continue
    const [first, second] = [flags.join(' '), other.flags.join(' ')]
    if (first !== second) changed.push({ fact: `flags of ${id}`, a: first, b: second })
  }
  return changed
}

/** The lines that only one of two files has. */
function linesApart(first: string, second: string): { a: string; b: string } {
  const [linesA, linesB] = [first, second].map(text => text.split('\n').map(line => line.trim()))
  const only = (lines: string[], others: string[]): string =>
    lines.filter(line => line !== '' && !others.includes(line)).join('; ') || 'nothing of its own'
  return { a: only(linesA, linesB), b: only(linesB, linesA) }
}

function textOf(value: unknown): string {
  return value === undefined ? 'not set' : String(value)
}

function warningsOf(a: RunRecord, b: RunRecord): string[] {
  const warnings: string[] = []
  if (a.isQuick || b.isQuick) {
    const which = a.isQuick && b.isQuick ? 'Both are' : `${a.isQuick ? 'A' : 'B'} is`
    warnings.push(`${which} a quick run: a first look, no result to publish.`)
  }
  if (a.blocks === 1 || b.blocks === 1) {
    warnings.push('A set of one block has no interval, so that no difference is decided.')
  }
  if (a.machine.cpu !== b.machine.cpu || a.machine.cores !== b.machine.cores) {
    warnings.push('The machines differ: a ratio says what machine and commit do together.')
  }
  if (a.machine.commit !== b.machine.commit) {
    warnings.push('The commits differ: that may be why a prediction held or failed.')
  }
  if (a.workloads === undefined || b.workloads === undefined) {
    warnings.push(
      'A result set without the definitions of its profiles: that they are the same is taken from ' +
        'their names.',
    )
  }
  return warnings
}
