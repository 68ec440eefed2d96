import type { Breach, Phase, Phases, Verdict } from '../run/record.ts'

/** A step that the search wants. A pilot has rates for its stages, the others one. */
export interface PlannedStep {
  readonly phase: Phase
  readonly attempt: number
  readonly rates: readonly number[]
}

/** What the search is told of it. */
export interface StepAnswer {
  readonly verdict: Verdict
  /** Of a pilot: the highest rate whose stage held, and the first that did not. */
  readonly held?: number
  readonly broke?: number
}

export interface SearchResult {
  readonly maxRate: number
  readonly limit: readonly Breach[]
  readonly problem?: string
}

/** Pure: yields steps, is sent their answers, returns the result (LAB.md, search). */
export type Search = (phases: Phases) => Generator<PlannedStep, SearchResult, StepAnswer>
