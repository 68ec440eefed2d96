import type { Scene } from '../explanation.ts'
import { rangeText } from '../prediction.ts'
import type { Change, Prediction } from '../prediction.ts'
import { figure } from './figure.ts'

interface Bounds {
  readonly min: number
  readonly max: number
  /** Why no more. */
  readonly reason: string
}

export function predict(scene: Scene, change: Change, { min, max, reason }: Bounds): Prediction {
  const expected = { min, max }
  const { solution, profile } = scene.cell
  return {
    ...{ solution, profile, change, metric: 'maxRate', now: scene.maxRate, expected },
    text: `With ${change.text}: ${rangeText(expected)} (now ${figure(scene.maxRate)}), because ${reason}.`,
  }
}

export function largerPool(size: number): { change: Change; larger: number } {
  const larger = 2 * size
  const text = `a pool of ${larger} instead of ${size}`
  return { larger, change: { text, flags: [`--postgres.poolSize=${larger}`] } }
}

export function halfPool(scene: Scene, reason: string): Prediction {
  const size = scene.use.pool?.size ?? 15
  const half = Math.max(1, size >> 1)
  const text = `a pool of ${half} instead of ${size}`
  const change = { text, flags: [`--postgres.poolSize=${half}`] }
  return predict(scene, change, { min: scene.maxRate, max: 1.5 * scene.maxRate, reason })
}

/**
 * A change of what is full must show, where what comes next leaves room for it: a prediction that
 * any outcome fulfils says nothing.
 */
export function atLeast({ maxRate }: Scene, ceiling: number): number {
  return ceiling >= 1.2 * maxRate ? 1.1 * maxRate : 0.9 * maxRate
}
