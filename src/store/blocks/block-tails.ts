/**
 * The last block of each series in one partition, as columns by series id: what a flush must know
 * to add behind it, without reading it. Says what was handed to transactions: after one that failed
 * it is wrong, and must be thrown away.
 */
export class BlockTails {
  #lastTime = new Float64Array(0)
  #points = new Int32Array(0)

  /** The time of the last point; undefined when the block is not known. */
  lastTime(series: number): number | undefined {
    return this.points(series) > 0 ? this.#lastTime[series] : undefined
  }

  /** Points of the last block; 0 when it is not known. */
  points(series: number): number {
    return series < this.#points.length ? this.#points[series] : 0
  }

  set(series: number, lastTime: number, points: number): void {
    if (series >= this.#points.length) this.#grow(series + 1)
    this.#lastTime[series] = lastTime
    this.#points[series] = points
  }

  #grow(count: number): void {
    const capacity = Math.max(1024, count, 2 * this.#points.length)
    const lastTime = new Float64Array(capacity)
    lastTime.set(this.#lastTime)
    this.#lastTime = lastTime
    const points = new Int32Array(capacity)
    points.set(this.#points)
    this.#points = points
  }
}
