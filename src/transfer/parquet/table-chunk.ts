import type { RejectReason } from '../../model/rejection.ts'

/** Names of rows: the row's place in `names`; past its end, the row has none. */
export interface NameIndex {
  readonly names: readonly string[]
  readonly index: Uint32Array
}

/** A column of values. A row without a number and a text has no value. */
export interface ValueColumn {
  /** The metric; absent where the chunk's `metrics` say. */
  readonly metric?: string
  /** NaN where there is none. */
  readonly numbers: Float64Array
  readonly texts?: readonly (string | undefined)[]
}

export interface RefusedValue {
  readonly row: number
  readonly field: string
  readonly detail: string
  readonly reason: RejectReason
}

/** Some rows of a table, as columns. */
export interface TableChunk {
  /** Place in the file of the first row. */
  readonly firstRow: number
  readonly rows: number
  /** Microseconds since 1970; NaN where there is no time. */
  readonly times: Float64Array
  readonly timeField: string
  readonly devices: NameIndex
  readonly deviceField: string
  /** Long tables: the metric of each row. */
  readonly metrics?: NameIndex
  readonly columns: readonly ValueColumn[]
  /** Values that cannot be taken, by rising row of this chunk. */
  readonly refused: readonly RefusedValue[]
}
