import type { BenchmarkTest, TestSequence } from './benchmark.ts'

/** How often a rate is tried again where the generator itself was late. */
const MAX_VOIDS = 2

export interface Ascent {
  readonly startRps: number
  /** Each rate is the one before times this … */
  readonly factor: number
  /** … or, where it is given, so much more. */
  readonly incrementRps?: number
  readonly maxRps: number
  readonly durationMs: number
}

/** One test after the other, whatever becomes of them. */
export function* inTurn(tests: readonly BenchmarkTest[]): TestSequence {
  for (const test of tests) yield test
  return {}
}

/** Rises until a rate does not hold. */
export function* untilItFails(ascent: Ascent): TestSequence {
  let held = 0
  let rate = ascent.startRps
  let voids = 0
  while (rate <= ascent.maxRps) {
    const type = 'ceiling'
    const verdict = yield { type, targetRps: rate, durationMs: ascent.durationMs }
    const limit = verdict.breaches.map(({ detail }) => detail)
    if (verdict.outcome === 'void') {
      if (voids++ < MAX_VOIDS) continue
      const problem = `the generator was not good enough at ${rate}/s, so the ceiling may be higher`
      return { ceilingRps: held, limit, problem }
    }
    if (verdict.outcome !== 'pass') return { ceilingRps: held, limit }
    voids = 0
    held = rate
    rate = next(rate, ascent)
  }
  return { ceilingRps: held, limit: [], problem: `it held up to max_rps, ${ascent.maxRps}/s` }
}

function next(rate: number, { factor, incrementRps, maxRps }: Ascent): number {
  if (rate === maxRps) return Infinity
  const wanted = incrementRps === undefined ? Math.round(rate * factor) : rate + incrementRps
  // The last rate is the bound itself, and small rates rise too.
  return Math.min(maxRps, Math.max(rate + 1, wanted))
}
