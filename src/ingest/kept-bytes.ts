const MAX_BYTES = 32 << 20

/**
 * Names kept as bytes, end to end in flat memory: comparing with one touches only its own cache
 * lines. Nothing is removed one by one; the owner of a full one forgets everything and begins anew.
 */
export class KeptBytes {
  bytes: Buffer = Buffer.alloc(1 << 16)
  #view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
  #used = 0

  /** Keeps a copy and returns its place; -1 when it is full. */
  keep(source: Buffer, from: number, to: number): number {
    const place = this.#used
    if (place + to - from > this.bytes.length && !this.#grow(to - from)) return -1
    source.copy(this.bytes, place, from, to)
    this.#used += to - from
    return place
  }

  clear(): void {
    this.#used = 0
  }

  /** Little-endian. */
  wordAt(place: number): number {
    return this.#view.getInt32(place, true)
  }

  #grow(wanted: number): boolean {
    let length = 2 * this.bytes.length
    while (length < this.#used + wanted) length *= 2
    if (length > MAX_BYTES) return false
    this.bytes = Buffer.concat([this.bytes], length)
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    return true
  }
}
