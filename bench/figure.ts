import type { LoadTotals } from './load/tally.ts'
import type { Observation } from './watch.ts'

/** One line of the result. */
export interface Figure {
  readonly name: string
  readonly unit: string
  /** The median over windows or runs. */
  readonly value: number
  readonly values: readonly number[]
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly goals: readonly Goal[]
  readonly observation?: Observation
  readonly generatorCpu?: number
  /** Why the run does not count; empty when it does. */
  readonly problems: readonly string[]
}

export interface Goal {
  readonly what: 'value' | 'p50Ms' | 'p99Ms'
  readonly better: 'higher' | 'lower'
  readonly atLeast: number
  readonly aim?: number
}

export type Verdict = 'aim' | 'met' | 'missed' | 'VOID' | ''

/** What a figure's code needs to know. */
export interface BenchContext {
  readonly quick: boolean
  /** Makes a fresh, empty folder that the bench removes at its end. */
  readonly folder: (name: string) => string
  readonly say: (line: string) => void
  readonly historyPoints: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return NaN
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function verdictOf(figure: Figure): Verdict {
  if (figure.problems.length > 0) return 'VOID'
  if (figure.goals.length === 0) return ''
  const reaches = (goal: Goal, bound: number | undefined): boolean => {
    const measured = figure[goal.what]
    if (bound === undefined) return true
    if (measured === undefined) return false
    return goal.better === 'higher' ? measured >= bound : measured <= bound
  }
  if (!figure.goals.every(goal => reaches(goal, goal.atLeast))) return 'missed'
  const aims = figure.goals.some(goal => goal.aim !== undefined)
  return aims && figure.goals.every(goal => reaches(goal, goal.aim)) ? 'aim' : 'met'
}

/** Requests or points a second of each window. */
export function rates(totals: LoadTotals, what: 'requests' | 'points'): number[] {
  return totals.windows.map(window => window[what] / window.seconds)
}

export const atLeast = (bound: number, aim: number): Goal => ({
  ...{ what: 'value', better: 'higher' },
  ...{ atLeast: bound, aim },
})

export const atMost = (what: Goal['what'], bound: number, aim?: number): Goal => ({
  ...{ what, better: 'lower', atLeast: bound },
  ...(aim === undefined ? {} : { aim }),
})

/** The event loop's delay and the memory of the run in which each was largest. */
export function worst(figures: readonly Figure[]): Figure[] {
  const seen = figures.flatMap(figure => figure.observation ?? [])
  if (seen.length === 0) return []
  const most = (about: Pick<Figure, 'name' | 'unit' | 'goals'>, values: number[]): Figure => ({
    ...about,
    ...{ values, value: Math.max(...values), problems: [] },
  })
  const delays = seen.map(({ loopDelayP99Ms }) => loopDelayP99Ms)
  const memory = seen.map(({ rssBytes }) => rssBytes / 1024 ** 2)
  return [
    most(
      { name: 'event-loop delay p99, worst run', unit: 'ms', goals: [atMost('value', 20)] },
      delays,
    ),
    most({ name: 'memory, worst run', unit: 'MB', goals: [atMost('value', 1024)] }, memory),
  ]
}
