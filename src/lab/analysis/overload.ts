import type { StepRecord } from '../run/record.ts'
import { median } from './median.ts'
import type { Cell, ResultSet } from './result-set.ts'

/**
 * What a solution does beyond its limit; medians over the blocks that tried it, without those in
 * which the generator was not good enough to say.
 */
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
  /** Of these, the blocks in which points were lost or doubled: what was answered well there was not. */
  readonly lostIn: number
  /** Blocks in which nobody could count its points: it had ended, or did not say. */
  readonly uncountedIn: number
}

export function overloadsOf(set: ResultSet): Overload[] {
  return set.cells.flatMap(cell => overloadOf(cell) ?? [])
}

function overloadOf({ solution, profile, results }: Cell): Overload | undefined {
  const tries = results.flatMap(({ steps, end }) => {
    const step = steps.findLast(({ phase, load }) => phase === 'overload' && load !== undefined)
    const load = step?.load
    if (step === undefined || load === undefined || step.verdict.outcome === 'void') return []
    return { step, load, kept: load.achievedRate / end.maxRate }
  })
  if (tries.length === 0) return undefined
  // A block that was not seen to recover took longer than any that was.
  const recoveryMs = median(tries.map(({ step }) => step.recoveryMs ?? Infinity))
  return {
    solution,
    profile,
    offeredRate: median(tries.map(({ step }) => step.rate)),
    goodput: median(tries.map(({ load }) => load.achievedRate)),
    kept: median(tries.map(({ kept }) => kept)),
    p99Ms: median(tries.map(({ load }) => load.latency.p99Ms)),
    errorShare: median(tries.map(({ load }) => load.errorShare)),
    ...(Number.isFinite(recoveryMs) ? { recoveryMs } : {}),
    blocks: tries.length,
    lostIn: tries.filter(({ step }) => step.verdict.outcome === 'invalid').length,
    uncountedIn: tries.filter(({ step }) => isUncounted(step)).length,
  }
}

const isUncounted = ({ probes }: StepRecord): boolean =>
  probes === undefined || probes.ledger.unread !== undefined
