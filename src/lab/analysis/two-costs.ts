import type { Cost } from '../../plan/calibration.ts'

/** What was seen once: so many writes and queries cost `cost` together. All of a second, or of none. */
export interface CostSample {
  readonly writes: number
  readonly queries: number
  readonly cost: number
}

export interface FittedCost extends Cost {
  /** False: both are what a request costs on average, for the mixes tell no more. */
  readonly isSeparated: boolean
  /** Largest deviation of a sample from what the two costs say, of what it cost. */
  readonly error: number
}

/** Below, mixes are so much alike that noise decides which kind is the dear one. */
const LEAST_DETERMINANT = 0.05

/**
 * Least squares of relative errors for `cost = perWrite · writes + perQuery · queries`. Where the
 * mixes are alike, or one kind comes out as costing nothing, a request of either kind has the highest
 * mean cost: a kind that is free would make a plan promise anything.
 */
export function fitCosts(samples: readonly CostSample[]): FittedCost {
  let [ww, wq, qq, w, q] = [0, 0, 0, 0, 0]
  for (const { writes, queries, cost } of samples) {
    const [x, y] = [writes / cost, queries / cost]
    ww += x * x
    wq += x * y
    qq += y * y
    w += x
    q += y
  }
  const determinant = ww * qq - wq * wq
  const perWrite = (w * qq - q * wq) / determinant
  const perQuery = (q * ww - w * wq) / determinant
  const isSeparated = determinant > LEAST_DETERMINANT * ww * qq && perWrite > 0 && perQuery > 0
  const cost = isSeparated ? { perWrite, perQuery } : highestMean(samples)
  return { ...cost, isSeparated, error: largestError(cost, samples) }
}

function largestError({ perWrite, perQuery }: Cost, samples: readonly CostSample[]): number {
  const errors = samples.map(({ writes, queries, cost }) =>
    Math.abs((perWrite * writes + perQuery * queries) / cost - 1),
  )
  return Math.max(...errors)
}

/** So that none of the samples is promised for less than it cost. */
function highestMean(samples: readonly CostSample[]): Cost {
  const means = samples.map(({ writes, queries, cost }) => cost / (writes + queries))
  const highest = Math.max(...means)
  return { perWrite: highest, perQuery: highest }
}
