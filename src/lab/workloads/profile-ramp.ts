import type { Executor } from '../generator/executor.ts'

/** How a profile is run when nobody searches for its limit: upwards until the SLO is broken. */
export const PROFILE_RAMP: Executor = {
  kind: 'ramping-arrival-rate',
  arrivals: 'poisson',
  startRate: 50,
  stages: [
    { rate: 100, durationMs: 30_000 },
    { rate: 250, durationMs: 30_000 },
    { rate: 500, durationMs: 30_000 },
    { rate: 1000, durationMs: 30_000 },
  ],
  steps: false,
  stopsOnBreach: true,
}
