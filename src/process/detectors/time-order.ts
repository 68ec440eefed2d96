/** Larger batches are taken as they are when sorting them would hold up the doors. */
const MAX_SORTED = 16_384

interface TimedPoints {
  readonly seriesIndex: Uint32Array
  readonly timestamps: Float64Array
}

/**
 * The order in which a batch's points are to be taken so that those of each series rise in time:
 * undefined where they do (a pass over two columns), backwards where they fall (histories are
 * often sent newest first), sorted where they are mixed. Of equal times the later stays later.
 */
export class TimeOrder {
  #newest = new Float64Array(1024)
  #oldest = new Float64Array(1024)

  of({ seriesIndex, timestamps }: TimedPoints, series: number): Uint32Array | undefined {
    if (this.#newest.length < series) {
      this.#newest = new Float64Array(2 * series)
      this.#oldest = new Float64Array(2 * series)
    }
    if (this.#rises(seriesIndex, timestamps, series)) return undefined
    const points = timestamps.length
    if (this.#falls(seriesIndex, timestamps, series)) {
      return new Uint32Array(points).map((_, i) => points - 1 - i)
    }
    if (points > MAX_SORTED) return undefined
    const order = new Uint32Array(points).map((_, i) => i)
    return order.sort((a, b) => timestamps[a] - timestamps[b] || a - b)
  }

  #rises(seriesIndex: Uint32Array, timestamps: Float64Array, series: number): boolean {
    const newest = this.#newest
    newest.fill(-1, 0, series)
    for (let i = 0; i < timestamps.length; i++) {
      const s = seriesIndex[i]
      if (timestamps[i] < newest[s]) return false
      newest[s] = timestamps[i]
    }
    return true
  }

  #falls(seriesIndex: Uint32Array, timestamps: Float64Array, series: number): boolean {
    const oldest = this.#oldest
    oldest.fill(Infinity, 0, series)
    for (let i = 0; i < timestamps.length; i++) {
      const s = seriesIndex[i]
      if (timestamps[i] >= oldest[s]) return false
      oldest[s] = timestamps[i]
    }
    return true
  }
}
