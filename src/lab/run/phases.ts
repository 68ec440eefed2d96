import type { Phases } from './record.ts'

const SECOND = 1000

/** What LAB asks for: the figures of these are worth publishing. */
export const FULL_PHASES: Phases = {
  startRate: 50,
  pilotFactor: 1.5,
  pilotStepMs: 10 * SECOND,
  warmUpMs: 10 * SECOND,
  measureMs: 30 * SECOND,
  precision: 0.05,
  confirmMs: 120 * SECOND,
  overloadFactor: 1.5,
  overloadMs: 30 * SECOND,
  maxVoids: 2,
  drainLimitMs: 5 * SECOND,
}

/**
 * A first look: some 75 s a cell, so that five architectures in three profiles and the embedded one
 * take less than half an hour (docs/decisions/0030-search-and-verdict.md).
 */
export const QUICK_PHASES: Phases = {
  startRate: 100,
  pilotFactor: 2,
  pilotStepMs: 2 * SECOND,
  warmUpMs: 2.5 * SECOND,
  measureMs: 5 * SECOND,
  precision: 0.2,
  confirmMs: 10 * SECOND,
  overloadFactor: 1.5,
  overloadMs: 5 * SECOND,
  maxVoids: 2,
  drainLimitMs: 5 * SECOND,
}

/** A fresh start with its history, and asking the probes at the end; before any was measured. */
const START_MS = 5 * SECOND
const PILOT_STAGES = { quick: 7, full: 11 }

/** About how long a cell takes, until the first has shown it. */
export function expectedCellMs(phases: Phases): number {
  const { pilotFactor, precision, warmUpMs, measureMs, pilotStepMs } = phases
  const stages = pilotFactor >= 2 ? PILOT_STAGES.quick : PILOT_STAGES.full
  const halvings = Math.ceil(Math.log2(Math.log(pilotFactor) / Math.log1p(precision)))
  const steps = Math.max(1, halvings) + 0.5
  return (
    START_MS +
    (stages * pilotStepMs + warmUpMs) +
    steps * (START_MS + warmUpMs + measureMs) +
    (START_MS + warmUpMs + phases.confirmMs + phases.overloadMs)
  )
}
