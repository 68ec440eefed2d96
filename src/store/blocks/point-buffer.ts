/**
 * Points in columns that grow: what the head hands out, blocks decode into and merges write to.
 * Reused for many series, so that a read or a flush allocates nothing per series. Columns are
 * replaced when they grow: never hold on to them.
 */
export class PointBuffer {
  timestamps: Float64Array
  /** NaN where the point is text. */
  values: Float64Array
  /** Present once a text was put; may be shorter than `length`. */
  texts: (string | undefined)[] | undefined = undefined
  length = 0

  constructor(capacity = 256) {
    this.timestamps = new Float64Array(capacity)
    this.values = new Float64Array(capacity)
  }

  clear(): void {
    this.length = 0
    this.texts = undefined
  }

  /** Makes room for `extra` more points. */
  reserve(extra: number): void {
    const needed = this.length + extra
    if (needed <= this.timestamps.length) return
    const capacity = Math.max(needed, 2 * this.timestamps.length)
    const timestamps = new Float64Array(capacity)
    const values = new Float64Array(capacity)
    timestamps.set(this.timestamps.subarray(0, this.length))
    values.set(this.values.subarray(0, this.length))
    this.timestamps = timestamps
    this.values = values
  }

  push(time: number, value: number, text: string | undefined): void {
    if (this.length === this.timestamps.length) this.reserve(1)
    const at = this.length++
    this.timestamps[at] = time
    this.values[at] = value
    if (text !== undefined) this.setText(at, text)
  }

  setText(at: number, text: string | undefined): void {
    this.texts ??= []
    while (this.texts.length < at) this.texts.push(undefined)
    this.texts[at] = text
  }

  /** As the codec takes them; valid until the next change. */
  columns(): { timestamps: Float64Array; values: Float64Array; texts?: (string | undefined)[] } {
    const { timestamps, values, texts } = this
    return texts === undefined ? { timestamps, values } : { timestamps, values, texts }
  }

  /** Appends points [from, to) of `source`. */
  append(source: PointBuffer, from: number, to: number): void {
    const count = to - from
    if (count <= 0) return
    this.reserve(count)
    const at = this.length
    this.timestamps.set(source.timestamps.subarray(from, to), at)
    this.values.set(source.values.subarray(from, to), at)
    this.length = at + count
    const { texts } = source
    if (texts === undefined) return
    for (let i = from; i < Math.min(to, texts.length); i++) {
      if (texts[i] !== undefined) this.setText(at + i - from, texts[i])
    }
  }

  /** Appends points [from, to) of `source`, the last first. */
  appendReversed(source: PointBuffer, from: number, to: number): void {
    this.reserve(to - from)
    for (let i = to - 1; i >= from; i--) {
      this.push(source.timestamps[i], source.values[i], source.texts?.[i])
    }
  }

  /** The first place whose time is not before `time`; the points must rise. */
  lowerBound(time: number, from = 0, to = this.length): number {
    const { timestamps } = this
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      if (timestamps[middle] < time) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Texts of points [from, to), for whoever keeps them. */
  textsOf(from: number, to: number): (string | undefined)[] | undefined {
    const { texts } = this
    if (texts === undefined) return undefined
    const copy: (string | undefined)[] = []
    let some = false
    for (let i = from; i < to; i++) {
      some ||= texts[i] !== undefined
      copy.push(texts[i])
    }
    return some ? copy : undefined
  }
}
