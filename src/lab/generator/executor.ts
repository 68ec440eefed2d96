/** Between two requests: drawn from an exponential distribution, or always the same. */
export type Arrivals = 'poisson' | 'constant'

/** From the rate before to this one, evenly, within this time. */
export interface Stage {
  readonly rate: number
  readonly durationMs: number
}

/** How requests come; rates in requests a second. One file each in `executors/`. */
export type Executor =
  | {
      readonly kind: 'constant-arrival-rate'
      readonly arrivals: Arrivals
      readonly rate: number
      readonly durationMs: number
    }
  | {
      readonly kind: 'ramping-arrival-rate'
      readonly arrivals: Arrivals
      readonly startRate: number
      readonly stages: readonly Stage[]
      /** True: each stage's rate holds from its beginning, as in the pilot of a search. */
      readonly steps: boolean
      /** Ends when a stage's window has broken the SLO; never inside a confirmation. */
      readonly stopsOnBreach: boolean
    }
  | {
      readonly kind: 'burst'
      readonly arrivals: Arrivals
      readonly warmUp: Stage
      readonly burst: Stage
      readonly coolDown: Stage
    }
  /** Users who wait for the answer, and then between `thinkMs[0]` and `thinkMs[1]`. */
  | {
      readonly kind: 'closed'
      readonly users: number
      readonly thinkMs: readonly [number, number]
      readonly durationMs: number
      /** Absent: until the time is over. */
      readonly iterations?: number
    }
  /**
   * Every device opens a connection of its own within `withinMs` and sends its first kind of
   * request `requestsEach` times, one after the other: what was measured while it was away.
   */
  | {
      readonly kind: 'reconnect-storm'
      readonly withinMs: number
      readonly requestsEach: number
      readonly durationMs: number
    }
