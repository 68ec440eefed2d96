import { estimate } from './bootstrap.ts'
import { findCell } from './result-set.ts'
import type { ResultSet } from './result-set.ts'
import { isSameTopology, parentOf } from './topology-settings.ts'

/** What an fsync takes differs by so much from one time it is measured to the next. */
const FSYNC_SLACK = 1.2

/** What to change, so that the next run can see whether an explanation is true. */
export interface Change {
  /** `a pool of 30 instead of 15`. */
  readonly text: string
  /** Flags of `weir up` to add to those of the solution. */
  readonly flags: readonly string[]
  /** A topology that makes this change, where there is one. */
  readonly topology?: string
  /** The same on a machine with so many cores. */
  readonly cores?: number
  /** The same on a disk whose fsync takes this share of the time: 0.5. */
  readonly fsync?: number
}

export interface Prediction {
  readonly solution: string
  readonly profile: string
  readonly change: Change
  readonly metric: 'maxRate'
  /** What it is now, requests a second. */
  readonly now: number
  /** Without `max`: no end of it follows from what was measured. */
  readonly expected: { readonly min: number; readonly max?: number }
  /** The same in words, with the reason for the bounds. */
  readonly text: string
}

export interface PredictionCheck {
  readonly prediction: Prediction
  readonly outcome: 'held' | 'failed' | 'not tested'
  /** The solution that made the change. */
  readonly by?: string
  readonly found?: number
  readonly text: string
}

/**
 * Holds predictions made of `made` against the results of `later`, which may be the same set: the
 * baseline's prediction of what merged writes give is tested by `tune` beside it.
 */
export function checkPredictions(
  predictions: readonly Prediction[],
  made: ResultSet,
  later: ResultSet,
): PredictionCheck[] {
  return predictions.map(prediction => checkOne(prediction, made, later))
}

function checkOne(prediction: Prediction, made: ResultSet, later: ResultSet): PredictionCheck {
  const notTested = (reason: string): PredictionCheck => ({
    prediction,
    outcome: 'not tested',
    text: `Not tested: ${reason}.`,
  })
  const by = testerOf(prediction, made, later)
  if (by === undefined) return notTested(`no solution of these results makes this change`)
  const { change, expected } = prediction
  const cores = change.cores ?? made.run.machine.cores
  if (later.run.machine.cores !== cores) {
    return notTested(`it is about ${cores} cores, and these results are of another machine`)
  }
  if (change.cores === undefined && later.run.machine.cpu !== made.run.machine.cpu) {
    return notTested('these results are of another processor')
  }
  const { fsyncP50Ms } = later.run.machine
  const wantedMs = made.run.machine.fsyncP50Ms * (change.fsync ?? Infinity)
  if (fsyncP50Ms > wantedMs * FSYNC_SLACK) {
    const [wanted, found] = [wantedMs, fsyncP50Ms].map(ms => ms.toFixed(2))
    return notTested(`it is about an fsync of ${wanted} ms, and here it takes ${found} ms`)
  }
  const cell = findCell(later, by, prediction.profile)
  if (cell === undefined || cell.results.length === 0) return notTested(`${by} has no result`)
  const { median: found, interval } = estimate(cell.results.map(({ end }) => end.maxRate))
  // A rate is found to the precision of the search, so the bounds are no sharper.
  const slack = 1 + later.run.phases.precision
  const low = interval?.low ?? found
  const high = interval?.high ?? found
  const { min, max = Infinity } = expected
  const held = high >= min / slack && low <= max * slack
  const range = rangeText(expected)
  return {
    prediction,
    outcome: held ? 'held' : 'failed',
    by,
    found,
    text: `${held ? 'Held' : 'Failed'}: ${by} sustained ${round(found)}/s, expected ${range}.`,
  }
}

function testerOf(
  { solution, change, profile }: Prediction,
  made: ResultSet,
  later: ResultSet,
): string | undefined {
  const origin = made.run.solutions.find(({ id }) => id === solution)
  if (origin === undefined) return undefined
  const wanted = [...origin.flags, ...change.flags].sort().join('\n')
  const tests = later.run.solutions.filter(({ topology, flags }) => {
    const sorted = [...flags].sort().join('\n')
    if (topology === origin.topology) return sorted === wanted && (made !== later || wanted !== '')
    const isOnly = sorted === [...origin.flags].sort().join('\n')
    return isOnly && change.topology === topology && extendsIt(later, topology, origin.topology)
  })
  const withResult = tests.find(({ id }) => findCell(later, id, profile)?.results.length)
  const sameAgain = made === later && change.flags.length === 0 && change.topology === undefined
  return sameAgain ? undefined : (withResult ?? tests[0])?.id
}

/** `scale` is one change of the baseline, and none of anything else. */
function extendsIt({ run }: ResultSet, topology: string, parent: string): boolean {
  const { topologies } = run.machine
  const found = parentOf(topologies, topology)
  return found !== undefined && isSameTopology(topologies, found, parent)
}

export function rangeText({ min, max }: Prediction['expected']): string {
  return max === undefined ? `at least ${round(min)}/s` : `${round(min)} to ${round(max)}/s`
}

function round(rate: number): string {
  return rate >= 100 ? String(Math.round(rate)) : rate.toFixed(1)
}
