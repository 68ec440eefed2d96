import type { Breach, Outcome, Phase, Phases } from '../run/record.ts'
import type { PlannedStep, Search, SearchResult, StepAnswer } from './search.ts'

/** Nobody asks for the limit below; a rate that breaks there counts as 0. */
const MIN_RATE = 1
/** Where no limit is given: above what the generator can send from one core. */
export const MAX_RATE = 60_000
/** A search that has not converged by then never will: the system changes its mind. */
const MAX_BISECTIONS = 24
const MAX_CONFIRMATIONS = 6
/** Where an overload holds, the search before it was led astray, and is taken up again; so often. */
const MAX_SEARCHES = 3
/** A machine that is too busy at an eighth of a rate is too busy at any; later it may not be. */
const MAX_VOID_DESCENTS = 2
/** The first step down from a rate that was not confirmed; each further one is twice as long. */
const MAX_STEP_DOWN = 0.1

/** Both ends of what is known; `pilot` is a hint from a short stage, `step` and `confirm` are verdicts. */
interface Bracket {
  lower: number
  lowerBy: 'guess' | 'pilot' | 'step'
  /** Infinity: nothing broke yet. */
  upper: number
  upperBy: 'pilot' | 'step' | 'confirm'
  /** Why the upper end does not hold, and what its outcome was. */
  limit: readonly Breach[]
  outcome: Outcome
  /** How often a lower rate was tried only because the instrument was not good enough. */
  voidDescents: number
}

type Steps<T> = Generator<PlannedStep, T, StepAnswer>

/**
 * Pilot, bisection, confirmation, overload (LAB.md, search). Every rate that a step has decided beats
 * what the pilot said. A rate at which the instrument stays too weak counts as one that does not hold,
 * so that the search ends below it: the limit then says that it is the generator's.
 *
 * Where the overload holds although a lower rate had broken, that one broke by chance (a disk that stood still for a
 * second is enough): the search goes on above the overload. What is confirmed by then stays so.
 */
export const searchMaxRate: Search = function* search(phases) {
  const bracket = yield* piloted(phases)
  if ('maxRate' in bracket) return bracket
  let confirmedRate = 0
  for (let left = MAX_SEARCHES; ; left--) {
    const isFound = yield* narrowed(bracket, phases)
    if (!isFound && confirmedRate === 0) return nothing(bracket)
    const result = yield* confirmed(bracket, { phases, above: confirmedRate })
    if (result.maxRate === confirmedRate) return result
    confirmedRate = result.maxRate
    const rate = roundRate(confirmedRate * phases.overloadFactor)
    const overload = yield { phase: 'overload', attempt: 1, rates: [rate] }
    const isAstray = bracket.upperBy === 'step' && rate > bracket.upper
    if (left <= 1 || !isAstray || overload.verdict.outcome !== 'pass') {
      const lost = overload.verdict.outcome === 'invalid' ? lossAt(rate, overload) : []
      return { ...result, limit: [...result.limit, ...lost] }
    }
    learn(bracket, Math.min(rate, phases.maxRate ?? MAX_RATE), overload)
  }
}

/** False: no rate holds, or the instrument is too weak for any. */
function* narrowed(bracket: Bracket, phases: Phases): Steps<boolean> {
  for (let left = MAX_BISECTIONS; left > 0 && bracket.lower >= MIN_RATE; left--) {
    const rate = nextRate(bracket, phases)
    if (rate === undefined) break
    learn(bracket, rate, yield* decided({ phase: 'bisect', rate, phases }))
    if (bracket.voidDescents > MAX_VOID_DESCENTS) return false
  }
  return bracket.lower >= MIN_RATE
}

function* piloted(phases: Phases): Steps<Bracket | SearchResult> {
  const rates = pilotRates(phases)
  let answer: StepAnswer | undefined
  for (let attempt = 1; attempt <= 1 + phases.maxVoids; attempt++) {
    answer = yield { phase: 'pilot', attempt, rates }
    // It only says where to look, so that what a weak instrument saw is good enough for it.
    if (answer.held !== undefined || answer.broke !== undefined) break
  }
  const { held, broke, verdict } = answer!
  const crash = verdict.breaches.find(({ rule }) => rule === 'crash')
  if (held === undefined && broke === undefined && crash !== undefined) {
    return { maxRate: 0, limit: verdict.breaches, problem: crash.detail }
  }
  const first = rates[0]
  return {
    lower: held ?? (broke === undefined ? first : roundRate(broke / phases.pilotFactor)),
    lowerBy: held === undefined ? 'guess' : 'pilot',
    upper: broke ?? Infinity,
    upperBy: 'pilot',
    limit: broke === undefined ? [] : verdict.breaches,
    outcome: verdict.outcome,
    voidDescents: 0,
  }
}

/** Each factor times the one before, up to the highest that is asked for. */
export function pilotRates(phases: Phases): number[] {
  const most = phases.maxRate ?? MAX_RATE
  const rates: number[] = []
  for (let rate = phases.startRate; ; rate *= phases.pilotFactor) {
    const rounded = roundRate(rate)
    if (rounded > most && rates.length > 0) return rates
    rates.push(rounded)
  }
}

/** Where to look next; undefined: the bracket is as narrow as it is to be. */
function nextRate(bracket: Bracket, phases: Phases): number | undefined {
  const { lower, lowerBy, upper, upperBy } = bracket
  if (lowerBy === 'guess') return lower
  if (upper === Infinity) {
    const next = roundRate(Math.min(lower * phases.pilotFactor, phases.maxRate ?? MAX_RATE))
    return next > lower ? next : untested(bracket)
  }
  const middle = roundRate(Math.sqrt(lower * upper))
  const isNarrow = upper / lower - 1 <= phases.precision || middle <= lower || middle >= upper
  if (!isNarrow) return middle
  if (lowerBy === 'pilot') return lower
  return upperBy === 'pilot' ? upper : undefined
}

const untested = ({ lower, lowerBy }: Bracket): number | undefined =>
  lowerBy === 'step' ? undefined : lower

function learn(bracket: Bracket, rate: number, answer: StepAnswer): void {
  if (answer.verdict.outcome === 'pass') {
    Object.assign(bracket, { lower: rate, lowerBy: 'step' })
    if (rate < bracket.upper) return
    Object.assign(bracket, { upper: Infinity, limit: [] })
    return
  }
  const { outcome, breaches: limit } = answer.verdict
  Object.assign(bracket, { upper: rate, upperBy: 'step', limit, outcome })
  if (rate > bracket.lower) return
  if (outcome === 'void') bracket.voidDescents++
  // What the pilot, or nobody, had found to hold does not: look below, in steps that grow.
  const factor = bracket.lowerBy === 'guess' ? 4 : 2
  const below = rate > MIN_RATE ? Math.max(MIN_RATE, roundRate(rate / factor)) : 0
  Object.assign(bracket, { lower: below, lowerBy: 'guess' })
}

/** The highest rate that holds for longer; `above`: one that did already, 0 for none. */
function* confirmed(
  bracket: Bracket,
  { phases, above }: { phases: Phases; above: number },
): Steps<SearchResult> {
  let down = Math.min(phases.precision, MAX_STEP_DOWN)
  let rate = bracket.lower
  for (let left = MAX_CONFIRMATIONS; left > 0 && rate >= MIN_RATE && rate > above; left--) {
    const { verdict } = yield* decided({ phase: 'confirm', rate, phases })
    if (verdict.outcome === 'pass') return { maxRate: rate, limit: limitOf(bracket, phases) }
    const { outcome, breaches: limit } = verdict
    Object.assign(bracket, { upper: rate, upperBy: 'confirm', limit, outcome })
    rate = roundRate(Math.min(rate / (1 + down), rate - smallestStep(rate)))
    down = (1 + down) ** 2 - 1
  }
  if (above > 0) return { maxRate: above, limit: limitOf(bracket, phases) }
  if (rate < MIN_RATE) return nothing(bracket)
  const why = bracket.limit.map(({ detail }) => detail).join('; ')
  const problem = `no rate was confirmed in ${MAX_CONFIRMATIONS} attempts; at ${bracket.upper}/s: ${why}`
  return { maxRate: 0, limit: bracket.limit, problem }
}

/** Not even the lowest rate. Where the instrument alone is why, nothing is known of the system. */
function nothing({ limit, outcome }: Bracket): SearchResult {
  if (outcome !== 'void') return { maxRate: 0, limit }
  const why = limit.map(({ detail }) => detail).join('; ')
  return { maxRate: 0, limit, problem: `void at every rate that was tried: ${why}` }
}

function limitOf({ limit, outcome, upper, lower }: Bracket, phases: Phases): readonly Breach[] {
  if (upper === Infinity) {
    const detail = `at least ${lower}/s: no higher rate was tried (${phases.maxRate ?? MAX_RATE}/s)`
    return [{ rule: 'generator-cpu', detail }]
  }
  if (outcome !== 'void') return limit
  return limit.map(({ rule, detail }) =>
    rule === 'send-lag' || rule === 'generator-cpu'
      ? { rule, detail: `at least; the generator's limit at ${upper}/s: ${detail}` }
      : { rule, detail },
  )
}

const lossAt = (rate: number, { verdict }: StepAnswer): Breach[] =>
  verdict.breaches
    .filter(({ rule }) => rule === 'ledger')
    .map(({ rule, detail }) => ({ rule, detail: `under overload (${rate}/s): ${detail}` }))

/** A step at one rate, repeated while it is void. */
function* decided(asked: { phase: Phase; rate: number; phases: Phases }): Steps<StepAnswer> {
  let attempt = 1
  for (;;) {
    const answer = yield { phase: asked.phase, attempt, rates: [asked.rate] }
    if (answer.verdict.outcome !== 'void' || attempt > asked.phases.maxVoids) return answer
    attempt++
  }
}

/** Whole requests a second; tenths below ten. */
export function roundRate(rate: number): number {
  return rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate)
}

const smallestStep = (rate: number): number => (rate <= 10 ? 0.1 : 1)
