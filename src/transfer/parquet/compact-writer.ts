/** Types of the compact protocol, as they stand in field and list headers. */
const TYPE = { true: 1, false: 2, i16: 4, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const
export type CompactType = Exclude<keyof typeof TYPE, 'true' | 'false'>

/**
 * Thrift's compact protocol (apache/thrift, doc/specs/thrift-compact-protocol.md), which is what
 * Parquet writes its headers in. Fields are given in rising order of their ids.
 */
export class CompactWriter {
  readonly #bytes: number[] = []
  readonly #lastIds: number[] = [0]

  bool(id: number, value: boolean): this {
    return this.#field(id, value ? TYPE.true : TYPE.false)
  }

  i16(id: number, value: number): this {
    return this.#field(id, TYPE.i16).#zigzag(value)
  }

  i32(id: number, value: number): this {
    return this.#field(id, TYPE.i32).#zigzag(value)
  }

  /** An integer that a float64 holds exactly. */
  i64(id: number, value: number): this {
    return this.#field(id, TYPE.i64).#zigzag(value)
  }

  binary(id: number, value: Uint8Array | string): this {
    return this.#field(id, TYPE.binary).#data(value)
  }

  struct(id: number, write: (writer: this) => void): this {
    this.#field(id, TYPE.struct)
    return this.element(write)
  }

  /** A list; its elements are written next, by `element`, `i32Element` and so on. */
  list(id: number, type: CompactType, size: number): this {
    this.#field(id, TYPE.list)
    if (size < 15) this.#bytes.push((size << 4) | TYPE[type])
    else {
      this.#bytes.push(0xf0 | TYPE[type])
      this.#varint(size)
    }
    return this
  }

  /** A struct without a field header: an element of a list, or the message itself. */
  element(write: (writer: this) => void): this {
    this.#lastIds.push(0)
    write(this)
    this.#lastIds.pop()
    this.#bytes.push(0)
    return this
  }

  i32Element(value: number): this {
    return this.#zigzag(value)
  }

  binaryElement(value: Uint8Array | string): this {
    return this.#data(value)
  }

  /** What another writer wrote: elements of a list. */
  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte)
    return this
  }

  take(): Buffer {
    return Buffer.from(this.#bytes)
  }

  #field(id: number, type: number): this {
    const last = this.#lastIds[this.#lastIds.length - 1]
    const delta = id - last
    if (delta > 0 && delta < 16) this.#bytes.push((delta << 4) | type)
    else {
      this.#bytes.push(type)
      this.#zigzag(id)
    }
    this.#lastIds[this.#lastIds.length - 1] = id
    return this
  }

  #data(value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    this.#varint(bytes.length)
    return this.raw(bytes)
  }

  #zigzag(value: number): this {
    this.#varint(value >= 0 ? 2 * value : -2 * value - 1)
    return this
  }

  #varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.#bytes.push((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes.push(rest)
  }
}
