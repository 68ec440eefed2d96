/** What a detector says of the points of one batch, by their index: columns, `count` rows long. */
export class Findings {
  count = 0
  /** Points beyond a threshold that were not reported, to bound a flood; over all batches. */
  suppressed = 0
  /** The point's place in the batch. */
  index = new Uint32Array(64)
  average = new Float64Array(64)
  score = new Float64Array(64)
  /** A place in `SEVERITIES`. */
  severity = new Uint8Array(64)

  /** The row for one more finding; the caller fills it. */
  next(): number {
    if (this.count === this.index.length) this.#grow()
    return this.count++
  }

  clear(): void {
    this.count = 0
  }

  #grow(): void {
    const length = 2 * this.count
    const index = new Uint32Array(length)
    const average = new Float64Array(length)
    const score = new Float64Array(length)
    const severity = new Uint8Array(length)
    index.set(this.index)
    average.set(this.average)
    score.set(this.score)
    severity.set(this.severity)
    Object.assign(this, { index, average, score, severity })
  }
}
