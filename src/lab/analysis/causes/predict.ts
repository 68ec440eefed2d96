import type { Scene } from '../explanation.ts'
import { rangeText } from '../prediction.ts'
import type { Change, Prediction } from '../prediction.ts'
import { costOf } from '../utilisation.ts'
import { figure } from './figure.ts'

interface Bounds {
  readonly min: number
  readonly max?: number
  /** Why so much and no more. */
  readonly reason: string
}

export function predict(scene: Scene, change: Change, { reason, ...expected }: Bounds): Prediction {
  const { solution, profile } = scene.cell
  return {
    ...{ solution, profile, change, metric: 'maxRate', now: scene.maxRate, expected },
    text: `With ${change.text}: ${rangeText(expected)} (now ${figure(scene.maxRate)}), because ${reason}.`,
  }
}

/** Another size of the pool that each API process has; the figures are of all of them. */
export function poolTimes({ use }: Scene, factor: number): Change {
  const size = use.pool?.size ?? 15
  const processes = Math.max(1, costOf(use, 'api')?.processes ?? 1)
  const each = Math.max(1, Math.round(size / processes))
  const next = Math.max(1, Math.round(each * factor))
  const whose = processes === 1 ? '' : ` in each of ${processes} processes`
  const text = `a pool of ${next} instead of ${each}${whose}`
  return { text, flags: [`--postgres.poolSize=${next}`] }
}

/**
 * One statement, one flush and one answer for all requests that wait. How many those are is not
 * known before, and so it is with what a request then costs: there is a least gain and no most.
 */
export function mergedWrites(scene: Scene): Prediction {
  const change: Change = {
    text: 'writes that are merged',
    flags: ['--store.postgres.writes=merged', '--ingest.commit=merged'],
    topology: 'tune',
  }
  const reason =
    'the requests that wait share one statement and one flush, the more of them the longer they wait'
  return predict(scene, change, { min: 1.1 * scene.maxRate, reason })
}

/**
 * A change of what is full must show, where what comes next leaves room for it: a prediction that
 * any outcome fulfils says nothing.
 */
export function atLeast({ maxRate }: Scene, ceiling: number): number {
  return ceiling >= 1.2 * maxRate ? 1.1 * maxRate : 0.9 * maxRate
}
