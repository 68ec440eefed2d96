import type { Executor } from './executor.ts'

/** Requests a second from one rate to another, evenly. */
export interface Segment {
  readonly from: number
  readonly to: number
  readonly durationMs: number
}

export interface PaceChange {
  /** In place of what the workload does: so many requests a second, from beginning to end. */
  readonly rate?: number | undefined
  /** In all; stages keep their proportions. */
  readonly durationMs?: number | undefined
}

const DEFAULT_DURATION_MS = 60_000

/** The executor at another rate, or for another time. */
export function changedPace(executor: Executor, { rate, durationMs }: PaceChange): Executor {
  if (rate !== undefined) {
    const arrivals = 'arrivals' in executor ? executor.arrivals : 'poisson'
    const lasts = durationMs ?? DEFAULT_DURATION_MS
    return { kind: 'constant-arrival-rate', arrivals, rate, durationMs: lasts }
  }
  if (durationMs === undefined) return executor
  const factor = durationMs / totalMs(executor)
  const scaled = <S extends { readonly durationMs: number }>(stage: S): S => ({
    ...stage,
    durationMs: Math.round(stage.durationMs * factor),
  })
  switch (executor.kind) {
    case 'ramping-arrival-rate':
      return { ...executor, stages: executor.stages.map(scaled) }
    case 'burst': {
      const { warmUp, burst, coolDown } = executor
      return {
        ...executor,
        warmUp: scaled(warmUp),
        burst: scaled(burst),
        coolDown: scaled(coolDown),
      }
    }
    default:
      return { ...executor, durationMs }
  }
}

export function totalMs(executor: Executor): number {
  if ('durationMs' in executor) return executor.durationMs
  return segmentsOf(executor).reduce((sum, segment) => sum + segment.durationMs, 0)
}

/** Of an open loop: its rates one after the other; of the others, none. */
export function segmentsOf(executor: Executor): Segment[] {
  switch (executor.kind) {
    case 'constant-arrival-rate':
      return [flat(executor)]
    case 'burst':
      return [executor.warmUp, executor.burst, executor.coolDown].map(flat)
    case 'ramping-arrival-rate': {
      const { stages, steps, startRate } = executor
      if (steps) return stages.map(flat)
      return stages.map((stage, place) => ({
        from: place === 0 ? startRate : stages[place - 1].rate,
        to: stage.rate,
        durationMs: stage.durationMs,
      }))
    }
    default:
      return []
  }
}

const flat = ({ rate, durationMs }: { rate: number; durationMs: number }): Segment => ({
  from: rate,
  to: rate,
  durationMs,
})

/** The highest rate; 0 where users or devices decide. */
export function highestRate(executor: Executor): number {
  return Math.max(0, ...segmentsOf(executor).flatMap(({ from, to }) => [from, to]))
}

/** Whether the run ends when the SLO is broken. */
export function stopsOnBreach(executor: Executor): boolean {
  return executor.kind === 'ramping-arrival-rate' && executor.stopsOnBreach
}
