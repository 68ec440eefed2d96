import { readFixedHeader, type FixedHeader, type PacketPlace } from './packets.ts'

const EMPTY = Buffer.alloc(0)
const header: FixedHeader = { headerBytes: 0, bodyBytes: 0 }

/**
 * Called with each packet as soon as its size is known: throws when it is not to be had, or returns
 * how many of its bytes are wanted; undefined: all. Called again when more has come.
 */
export type CheckSize = (type: number, size: number) => number | undefined

/** The bytes of one client that are not handled yet, cut into packets. */
export class ReceiveBuffer {
  /** What `next` has found; both are valid until `consume`. */
  bytes: Buffer = EMPTY
  readonly place: { -readonly [K in keyof PacketPlace]: number } = { at: 0, body: 0, end: 0 }
  #at = 0
  #parts: Buffer[] = []
  #partBytes = 0
  /** Bytes from `#at` that make the next packet complete, as far as is known. */
  #wanted = 2
  /** Bytes to come that belong to a packet of which only the head was wanted. */
  #unwanted = 0
  readonly #checkSize: CheckSize

  constructor(checkSize: CheckSize) {
    this.#checkSize = checkSize
  }

  push(chunk: Buffer): void {
    const skipped = Math.min(this.#unwanted, chunk.length)
    this.#unwanted -= skipped
    if (skipped === chunk.length) return
    this.#parts.push(skipped === 0 ? chunk : chunk.subarray(skipped))
    this.#partBytes += chunk.length - skipped
  }

  /** Whether another packet may be complete. */
  get hasMore(): boolean {
    return this.bytes.length - this.#at + this.#partBytes >= this.#wanted
  }

  /**
   * Finds the next packet that is complete, as far as it is wanted; `consume` moves behind it. Of
   * one that is not wanted whole, `place.end` is still its end, beyond the bytes.
   */
  next(): boolean {
    if (!this.hasMore) return false
    // Joined only when the packet is complete: a large one comes in many parts.
    if (this.#partBytes > 0 && this.bytes.length - this.#at < this.#wanted) this.#join()
    const { bytes } = this
    const at = this.#at
    if (!readFixedHeader(bytes, at, header)) {
      this.#wanted = bytes.length - at + 1
      return this.next()
    }
    const body = at + header.headerBytes
    const end = body + header.bodyBytes
    const wanted = this.#checkSize(bytes[at] >> 4, end - at) ?? end - at
    if (at + wanted > bytes.length) {
      this.#wanted = wanted
      return this.next()
    }
    this.place.at = at
    this.place.body = body
    this.place.end = end
    return true
  }

  consume(): void {
    this.#wanted = 2
    const missing = this.place.end - this.bytes.length
    this.#at = Math.min(this.place.end, this.bytes.length)
    if (missing > 0) this.#skip(missing)
    // An idle client is not to pin what it sent last.
    if (this.#at === this.bytes.length) this.#reset()
  }

  clear(): void {
    this.#unwanted = 0
    this.#parts = []
    this.#partBytes = 0
    this.#reset()
  }

  #reset(): void {
    this.bytes = EMPTY
    this.#at = 0
  }

  #skip(bytes: number): void {
    const rest = this.#parts
    this.#parts = []
    this.#partBytes = 0
    this.#unwanted = bytes
    for (const part of rest) this.push(part)
  }

  #join(): void {
    const rest = this.bytes.subarray(this.#at)
    const parts = rest.length > 0 ? [rest, ...this.#parts] : this.#parts
    this.bytes = parts.length === 1 ? parts[0] : Buffer.concat(parts)
    this.#at = 0
    this.#parts = []
    this.#partBytes = 0
  }
}
