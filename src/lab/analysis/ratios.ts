import { estimate } from './bootstrap.ts'
import type { Estimate } from './bootstrap.ts'
import { findCell } from './result-set.ts'
import type { Cell, ResultSet } from './result-set.ts'

/** An effect that is smaller is no reason to choose an architecture, sure as it may be. */
export const LEAST_EFFECT = 0.1

/**
 * - `faster`, `slower`: the interval excludes 1, and the effect is at least 10 % and beyond the noise.
 * - `same`: not shown to differ. It may: few blocks see large effects only.
 * - `unknown`: a single block has no interval.
 */
export type Difference = 'faster' | 'slower' | 'same' | 'unknown'

/** Of the maximum rates of two solutions, in the blocks in which both have one. */
export interface Ratio {
  readonly solution: string
  readonly against: string
  readonly profile: string
  readonly ratio: Estimate
  readonly difference: Difference
}

/** What the same composition under two names differs by: no smaller difference means anything. */
export interface NoiseFloor {
  /** `baseline-again`. */
  readonly control: string
  readonly of: string
  /** Largest distance from 1 in any block and profile: 0.06 is 6 %. */
  readonly share: number
  readonly ratios: readonly Ratio[]
}

/** The control of A/A: a solution of the run by this name is another one once more. */
const AGAIN = '-again'

export function isControl(solution: string): boolean {
  return solution.endsWith(AGAIN)
}

/** The solution that the others are compared with. */
export function referenceOf({ run }: ResultSet): string {
  const ids = run.solutions.map(({ id }) => id)
  return ids.includes('baseline') ? 'baseline' : (ids.find(id => !isControl(id)) ?? ids[0])
}

/** Paired in blocks, so that what slows a whole block does not count. Absent: no block has both. */
export function pairedRatio(above: Cell, below: Cell, noise = 0): Ratio | undefined {
  const quotients = above.results.flatMap(({ block, end }) => {
    const other = below.results.find(result => result.block === block)
    return other === undefined ? [] : [end.maxRate / other.end.maxRate]
  })
  if (quotients.length === 0) return undefined
  const ratio = estimate(quotients)
  const { solution, profile } = above
  const difference = differenceOf(ratio, noise)
  return { solution, against: below.solution, profile, ratio, difference }
}

export function differenceOf({ median, interval }: Estimate, noise = 0): Difference {
  if (interval === undefined) return 'unknown'
  const least = 1 + Math.max(LEAST_EFFECT, noise)
  if (interval.low > 1 && median >= least) return 'faster'
  if (interval.high < 1 && median <= 1 / least) return 'slower'
  return 'same'
}

/** Of the first control in the run; absent where it has none, or none of its cells has a result. */
export function noiseFloor(set: ResultSet): NoiseFloor | undefined {
  const control = set.run.solutions.find(({ id }) => isControl(id))?.id
  if (control === undefined) return undefined
  const of = control.slice(0, -AGAIN.length)
  const ratios = set.run.profiles.flatMap(profile => {
    const above = findCell(set, control, profile)
    const below = findCell(set, of, profile)
    if (above === undefined || below === undefined) return []
    return pairedRatio(above, below) ?? []
  })
  if (ratios.length === 0) return undefined
  const distances = ratios.flatMap(({ ratio }) => ratio.values.map(distance))
  return { control, of, share: Math.max(...distances), ratios }
}

/** 1.25 and 0.8 are as far from 1. */
function distance(ratio: number): number {
  return Math.exp(Math.abs(Math.log(ratio))) - 1
}

/** Every solution against the reference, by profile, where both have results. */
export function ratiosOf(set: ResultSet): Ratio[] {
  const reference = referenceOf(set)
  const noise = noiseFloor(set)?.share
  return set.cells.flatMap(cell => {
    const below = findCell(set, reference, cell.profile)
    if (below === undefined || cell.solution === reference) return []
    return pairedRatio(cell, below, noise) ?? []
  })
}
