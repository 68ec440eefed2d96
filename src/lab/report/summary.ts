import type { Analysis } from '../analysis/analysis.ts'
import type { Bottleneck } from '../analysis/bottleneck.ts'
import type { Overload } from '../analysis/overload.ts'
import type { PredictionCheck } from '../analysis/prediction.ts'
import type { NoiseFloor, Ratio } from '../analysis/ratios.ts'
import type { Readings } from '../analysis/readings.ts'
import { rowTexts, TABLE_COLUMNS } from '../analysis/table.ts'
import type { TableRow } from '../analysis/table.ts'
import type { RunRecord } from '../run/record.ts'

/** `summary.json`: everything that the report says, for programs. */
export interface Summary {
  readonly formatVersion: 1
  readonly run: RunRecord
  readonly remarks: readonly string[]
  /** As in the other forms: each row has a value for each column. */
  readonly table: readonly Readonly<Record<string, string>>[]
  /** The same as numbers. */
  readonly cells: readonly TableRow[]
  readonly noise?: NoiseFloor
  readonly ratios: readonly Ratio[]
  readonly stackRatios: readonly Ratio[]
  readonly readings: Readings
  readonly bottlenecks: readonly Bottleneck[]
  readonly predictions: readonly PredictionCheck[]
  readonly overloads: readonly Overload[]
}

export function summaryOf(analysis: Analysis): Summary {
  const { set, remarks, table, noise, ratios, readings, bottlenecks, checks } = analysis
  const { stackRatios, overloads } = analysis
  return {
    ...{ formatVersion: 1, run: set.run, remarks },
    table: table.map(row => {
      const texts = rowTexts(row)
      return Object.fromEntries(TABLE_COLUMNS.map((column, i) => [column, texts[i]]))
    }),
    cells: table,
    ...(noise === undefined ? {} : { noise }),
    ...{ ratios, stackRatios, readings, bottlenecks, predictions: checks, overloads },
  }
}
