/**
 * Small numbers in runs, and their encoding as Parquet's RLE / bit-packed hybrid. Only runs of
 * equal numbers are written: that is what columns of names and of missing values are made of.
 */
export class RunLengths {
  readonly #values: number[] = []
  readonly #counts: number[] = []

  add(value: number, count: number): void {
    if (count === 0) return
    const last = this.#values.length - 1
    if (last >= 0 && this.#values[last] === value) this.#counts[last] += count
    else {
      this.#values.push(value)
      this.#counts.push(count)
    }
  }

  encode(bitWidth: number): Buffer {
    const valueBytes = Math.ceil(bitWidth / 8)
    const out = Buffer.alloc(this.#values.length * (5 + valueBytes))
    let at = 0
    for (let run = 0; run < this.#values.length; run++) {
      // The lowest bit says that a run follows, not packed bits.
      let header = this.#counts[run] * 2
      while (header >= 0x80) {
        out[at++] = (header & 0x7f) | 0x80
        header >>>= 7
      }
      out[at++] = header
      at = out.writeUIntLE(this.#values[run], at, valueBytes)
    }
    return out.subarray(0, at)
  }
}

/** Bits for numbers below `count`; at least one, which every reader takes. */
export function bitsFor(count: number): number {
  return Math.max(1, 32 - Math.clz32(Math.max(0, count - 1)))
}
