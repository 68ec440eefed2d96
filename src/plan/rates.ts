import type { Demand } from '../model/demand.ts'

const SECONDS_A_DAY = 86_400

/** What is planned for, in place of the expected peak: forecasts and bursts are both wrong upwards. */
export const HEADROOM = 2

/** How much comes and is asked in a second: on average, at the expected peak, or what is planned for. */
export interface Rates {
  readonly messagesPerSecond: number
  readonly pointsPerSecond: number
  readonly queriesPerSecond: number
}

export interface DemandRates {
  readonly mean: Rates
  readonly peak: Rates
  /** Twice the peak. */
  readonly design: Rates
  readonly pointsPerDay: number
  /** Kept at once, once the oldest are dropped. */
  readonly pointsKept: number
}

export function ratesOf(demand: Demand): DemandRates {
  const { devices, samplesPerSecond, metrics, peakFactor, retentionDays } = demand
  const messages = devices * samplesPerSecond
  const mean: Rates = {
    messagesPerSecond: messages,
    pointsPerSecond: messages * metrics,
    queriesPerSecond: demand.queriesPerSecond,
  }
  const pointsPerDay = mean.pointsPerSecond * SECONDS_A_DAY
  return {
    mean,
    peak: times(mean, peakFactor),
    design: times(mean, peakFactor * HEADROOM),
    pointsPerDay,
    pointsKept: pointsPerDay * retentionDays,
  }
}

function times(rates: Rates, factor: number): Rates {
  return {
    messagesPerSecond: rates.messagesPerSecond * factor,
    pointsPerSecond: rates.pointsPerSecond * factor,
    queriesPerSecond: rates.queriesPerSecond * factor,
  }
}
