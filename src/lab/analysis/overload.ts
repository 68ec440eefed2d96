import { medianOf } from './median.ts'
import type { Cell, ResultSet } from './result-set.ts'

/** What a solution does beyond its limit; medians over the blocks that tried it. */
export interface Overload {
  readonly solution: string
  readonly profile: string
  readonly offeredRate: number
  /** Answered as expected, a second. */
  readonly goodput: number
  /** Goodput ÷ what it sustains: 1 is a system that gives what it can, 0 one that falls over. */
  readonly kept: number
  readonly p99Ms: number
  readonly errorShare: number
  /** Until it answers within the SLO again; absent: it did not while one looked. */
  readonly recoveryMs?: number
  readonly blocks: number
}

export function overloadsOf(set: ResultSet): Overload[] {
  return set.cells.flatMap(cell => overloadOf(cell) ?? [])
}

function overloadOf({ solution, profile, results }: Cell): Overload | undefined {
  const tries = results.flatMap(({ steps, end }) => {
    const step = steps.findLast(({ phase, load }) => phase === 'overload' && load !== undefined)
    const load = step?.load
    if (step === undefined || load === undefined) return []
    return { step, load, kept: load.achievedRate / end.maxRate }
  })
  if (tries.length === 0) return undefined
  const middle = (values: readonly number[]): number => medianOf(values) ?? Number.NaN
  const recoveryMs = medianOf(tries.map(({ step }) => step.recoveryMs))
  return {
    solution,
    profile,
    offeredRate: middle(tries.map(({ step }) => step.rate)),
    goodput: middle(tries.map(({ load }) => load.achievedRate)),
    kept: middle(tries.map(({ kept }) => kept)),
    p99Ms: middle(tries.map(({ load }) => load.latency.p99Ms)),
    errorShare: middle(tries.map(({ load }) => load.errorShare)),
    ...(recoveryMs === undefined ? {} : { recoveryMs }),
    blocks: tries.length,
  }
}
