/** Series whose newest points are stored together. */
export const NEWEST_PAGE_SERIES = 256

/**
 * What is known of each series, as columns by series id: the greatest time ever seen, and the
 * newest point that is durable, which `latest()` answers from.
 */
export class SeriesColumns {
  /** The greatest time seen in head and blocks; -Infinity when none. */
  newest = new Float64Array(0)
  durableTime = new Float64Array(0)
  durableValue = new Float64Array(0)
  readonly durableTexts = new Map<number, string>()
  readonly #dirtyPages = new Set<number>()

  /** Makes room for series ids below `count`. */
  ensure(count: number): void {
    const size = this.newest.length
    if (count <= size) return
    const capacity = Math.max(1024, count, 2 * size)
    this.newest = grown(this.newest, capacity)
    this.durableTime = grown(this.durableTime, capacity)
    this.durableValue = grown(this.durableValue, capacity)
  }

  /** Says that a point is durable; points of a series must come in log order. */
  settleNewest(series: number, time: number, point: { value: number; text?: string | undefined }) {
    if (time > this.newest[series]) this.newest[series] = time
    if (time < this.durableTime[series]) return
    this.durableTime[series] = time
    this.durableValue[series] = point.value
    if (point.text === undefined) this.durableTexts.delete(series)
    else this.durableTexts.set(series, point.text)
    this.#dirtyPages.add(Math.floor(series / NEWEST_PAGE_SERIES))
  }

  /** Pages that changed since they were last taken. */
  takeDirtyPages(): number[] {
    const pages = [...this.#dirtyPages].sort((a, b) => a - b)
    this.#dirtyPages.clear()
    return pages
  }

  /** Gives pages back that could not be written. */
  markDirty(pages: readonly number[]): void {
    for (const page of pages) this.#dirtyPages.add(page)
  }

  get hasDirtyPages(): boolean {
    return this.#dirtyPages.size > 0
  }

  /** 256 times, 256 values, both little-endian float64, then the texts as JSON, if any. */
  encodePage(page: number): Buffer {
    const from = page * NEWEST_PAGE_SERIES
    const texts: [number, string][] = []
    for (let i = 0; i < NEWEST_PAGE_SERIES; i++) {
      const text = this.durableTexts.get(from + i)
      if (text !== undefined) texts.push([i, text])
    }
    const json = texts.length === 0 ? '' : JSON.stringify(texts)
    const bytes = Buffer.alloc(16 * NEWEST_PAGE_SERIES + Buffer.byteLength(json))
    for (let i = 0; i < NEWEST_PAGE_SERIES; i++) {
      const known = from + i < this.durableTime.length
      bytes.writeDoubleLE(known ? this.durableTime[from + i] : -Infinity, 8 * i)
      const value = known ? this.durableValue[from + i] : 0
      bytes.writeDoubleLE(value, 8 * (NEWEST_PAGE_SERIES + i))
    }
    bytes.write(json, 16 * NEWEST_PAGE_SERIES)
    return bytes
  }

  decodePage(page: number, bytes: Buffer): void {
    const from = page * NEWEST_PAGE_SERIES
    this.ensure(from + NEWEST_PAGE_SERIES)
    for (let i = 0; i < NEWEST_PAGE_SERIES; i++) {
      const time = bytes.readDoubleLE(8 * i)
      this.newest[from + i] = time
      this.durableTime[from + i] = time
      this.durableValue[from + i] = bytes.readDoubleLE(8 * (NEWEST_PAGE_SERIES + i))
    }
    if (bytes.length === 16 * NEWEST_PAGE_SERIES) return
    const json = bytes.toString('utf8', 16 * NEWEST_PAGE_SERIES)
    for (const [i, text] of JSON.parse(json) as [number, string][]) {
      this.durableTexts.set(from + i, text)
    }
  }
}

function grown(column: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(capacity).fill(-Infinity, column.length)
  larger.set(column)
  return larger
}
