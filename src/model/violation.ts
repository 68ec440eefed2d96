/** What `ValueRules` say of a value; `REFUSED` is added where the product wants it refused. */
export const GOOD = 0
export const WRONG_TYPE = 1
export const OUT_OF_RANGE = 2
export const REFUSED = 4

/** Values that are not as their product declares them: columns, one row a value. */
export interface Violations {
  /** Ids of the process's series table. */
  readonly series: Uint32Array
  /** `WRONG_TYPE` or `OUT_OF_RANGE`, and `REFUSED` where the value was not stored. */
  readonly verdicts: Uint8Array
  /** NaN where the value was text. */
  readonly values: Float64Array
  /** Device time, microseconds since 1970. */
  readonly timestamps: Float64Array
}
