import { readFixedHeader, type FixedHeader, type PacketPlace } from './packets.ts'

const EMPTY = Buffer.alloc(0)
const header: FixedHeader = { headerBytes: 0, bodyBytes: 0 }

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
  readonly #checkSize: (type: number, size: number) => void

  /** `checkSize` is called with each packet as soon as its size is known, and may throw. */
  constructor(checkSize: (type: number, size: number) => void) {
    this.#checkSize = checkSize
  }

  push(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#partBytes += chunk.length
  }

  /** Whether another packet may be complete. */
  get hasMore(): boolean {
    return this.bytes.length - this.#at + this.#partBytes >= this.#wanted
  }

  /** Finds the next complete packet; `consume` moves behind it. */
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
    this.#checkSize(bytes[at] >> 4, end - at)
    if (end > bytes.length) {
      this.#wanted = end - at
      return this.next()
    }
    this.place.at = at
    this.place.body = body
    this.place.end = end
    return true
  }

  consume(): void {
    this.#at = this.place.end
    this.#wanted = 2
    // An idle client is not to pin what it sent last.
    if (this.#at === this.bytes.length) this.#reset()
  }

  clear(): void {
    this.#parts = []
    this.#partBytes = 0
    this.#reset()
  }

  #reset(): void {
    this.bytes = EMPTY
    this.#at = 0
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
