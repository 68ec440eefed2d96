/** An architecture of the comparison: a topology, and what the lab calls it. */
export interface Solution {
  /** In tables and in the result file; `baseline-again` is the A/A control. */
  readonly id: string
  /** Name or file. */
  readonly topology: string
  /** Further flags of `weir up`, such as `--postgres.poolSize=30`. */
  readonly flags: readonly string[]
  /** What it should improve, in words. */
  readonly summary: string
}
