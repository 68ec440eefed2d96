import type { LabRecord } from '../run/record.ts'
import { bottlenecksOf } from './bottleneck.ts'
import type { Bottleneck } from './bottleneck.ts'
import { overloadsOf } from './overload.ts'
import type { Overload } from './overload.ts'
import { checkPredictions } from './prediction.ts'
import type { Prediction, PredictionCheck } from './prediction.ts'
import { noiseFloor, ratiosOf } from './ratios.ts'
import type { NoiseFloor, Ratio } from './ratios.ts'
import { readingsOf, stackRatios } from './readings.ts'
import type { Readings } from './readings.ts'
import { remarksOf } from './remarks.ts'
import { resultSet } from './result-set.ts'
import type { ResultSet } from './result-set.ts'
import { tableRows } from './table.ts'
import type { TableRow } from './table.ts'

/** All that is said of a result set; reports only write it down. */
export interface Analysis {
  readonly set: ResultSet
  readonly table: readonly TableRow[]
  /** Against the reference. */
  readonly ratios: readonly Ratio[]
  readonly noise: NoiseFloor | undefined
  readonly readings: Readings
  /** Each of the stack against the one before. */
  readonly stackRatios: readonly Ratio[]
  readonly bottlenecks: readonly Bottleneck[]
  /** Predictions that another solution of the same run has tested; the others are open. */
  readonly checks: readonly PredictionCheck[]
  readonly overloads: readonly Overload[]
  readonly remarks: readonly string[]
}

/** @throws WeirError `rejected` where the records hold no run that can be read. */
export function analyse(records: readonly LabRecord[]): Analysis {
  const set = resultSet(records)
  const ratios = ratiosOf(set)
  const noise = noiseFloor(set)
  const readings = readingsOf(set)
  const bottlenecks = bottlenecksOf(set)
  return {
    set,
    table: tableRows(set, { ratios, bottlenecks }),
    ratios,
    noise,
    readings,
    stackRatios: stackRatios(set, readings.stack),
    bottlenecks,
    checks: checkPredictions(predictionsOf(bottlenecks), set, set),
    overloads: overloadsOf(set),
    remarks: remarksOf(set, { noise, readings }),
  }
}

export function predictionsOf(bottlenecks: readonly Bottleneck[]): Prediction[] {
  return bottlenecks.flatMap(({ explanations }) =>
    explanations.flatMap(({ prediction }) => prediction ?? []),
  )
}
