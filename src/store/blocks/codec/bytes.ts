import { BlockError } from './block-error.ts'

/** Grows and is reused; what is written is copied out by `encodeBlock`. */
export class ByteWriter {
  bytes = Buffer.from(new ArrayBuffer(1 << 16))
  view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
  at = 0

  /** Makes room for `size` bytes from the beginning. What was written so far is kept. */
  reserve(size: number): void {
    if (size <= this.bytes.length) return
    const grown = Buffer.from(new ArrayBuffer(Math.max(size, 2 * this.bytes.length)))
    grown.set(this.bytes.subarray(0, this.at))
    this.bytes = grown
    this.view = new DataView(grown.buffer, grown.byteOffset, grown.byteLength)
  }

  byte(value: number): void {
    this.bytes[this.at++] = value
  }

  float(value: number): void {
    this.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  /** LEB128 of an integer 0..2^53. */
  varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.at++] = rest
  }

  /** Zigzag LEB128 of an integer within ±2^52. */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }
}

/** Reads a block's bytes up to `end`; four more bytes (the checksum) follow it. */
export class ByteReader {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly end: number
  at = 0

  constructor(bytes: Uint8Array, end: number) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.end = end
  }

  /** Where `size` bytes begin; the reader moves behind them. */
  take(size: number): number {
    const at = this.at
    if (size > this.end - at) throw new BlockError('block ends too early')
    this.at = at + size
    return at
  }

  byte(): number {
    return this.bytes[this.take(1)]
  }

  float(): number {
    return this.view.getFloat64(this.take(8), true)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > 2 ** 53) break
        return value
      }
      scale *= 0x80
    }
    throw new BlockError('a varint is longer than 53 bits')
  }

  signed(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A varint that is at most `highest`. */
  bounded(highest: number, name: string): number {
    const value = this.varint()
    if (value > highest) throw new BlockError(`${name} is ${value}, at most ${highest} is possible`)
    return value
  }
}
