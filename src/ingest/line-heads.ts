import { KeptBytes } from './kept-bytes.ts'

const FIRST_SLOTS = 1 << 12
/** 32 MB of slots; half of them are used at most. */
const MAX_SLOTS = 1 << 20
/** Of a slot: device id + 1 (0: empty), where its bytes are and how many, shape, its series, hash. */
const FIELDS = 8
const SHIFT = 3
const [DEVICE, BYTES, LENGTH, SHAPE, SERIES, ROOM, HASH] = [0, 1, 2, 3, 4, 5, 6]
const MAX_SERIES = 1 << 23

/** What is known of a head. */
export interface KnownHead {
  readonly device: number
  readonly shape: number
  /** The series of each field of the shape. */
  readonly series: readonly number[]
}

/**
 * From the bytes of a line's head (measurement and tags) to its device, the shape of its fields and
 * their series, without making a string: a hash table in flat memory, because at this rate what a
 * look-up costs is the cache lines that it touches. What it finds has been compared byte by byte.
 */
export class LineHeads {
  /** Of the head found last. */
  device = 0
  shape = 0
  /** Where its series begin in `series`. */
  at = 0
  series: Uint32Array = new Uint32Array(1 << 12)
  readonly #heads = new KeptBytes()
  #bytes: Buffer = Buffer.alloc(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #seed = 0
  #slots = new Int32Array(FIRST_SLOTS * FIELDS)
  #count = 0
  #used = 0

  /** Of which bytes the heads are that come next; `seed` differs from tenant to tenant. */
  open(bytes: Buffer, seed: number): void {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#seed = seed
  }

  /** Looks for the head in [from, to), of at least four bytes. */
  find(from: number, to: number): boolean {
    const slots = this.#slots
    const slot = this.#slotOf(from, to, this.#hash(from, to))
    if (slots[slot] === 0) return false
    this.device = slots[slot + DEVICE] - 1
    this.shape = slots[slot + SHAPE]
    this.at = slots[slot + SERIES]
    return true
  }

  /** Keeps what is known of a head. What does not fit empties the table. */
  learn(from: number, to: number, known: KnownHead): void {
    if (2 * this.#count >= this.#slots.length / FIELDS && !this.#grow()) this.clear()
    const slots = this.#slots
    const hash = this.#hash(from, to)
    const slot = this.#slotOf(from, to, hash)
    const isNew = slots[slot] === 0
    const { series } = known
    const place = isNew ? this.#heads.keep(this.#bytes, from, to) : slots[slot + BYTES]
    const hasRoom = !isNew && slots[slot + ROOM] >= series.length
    const at = hasRoom ? slots[slot + SERIES] : this.#room(series.length)
    if (place < 0 || at < 0) {
      this.clear()
      return
    }
    if (isNew) this.#count++
    if (!hasRoom) slots[slot + ROOM] = series.length
    slots[slot + DEVICE] = known.device + 1
    slots[slot + BYTES] = place
    slots[slot + LENGTH] = to - from
    slots[slot + SHAPE] = known.shape
    slots[slot + SERIES] = at
    slots[slot + HASH] = hash
    this.series.set(series, at)
  }

  clear(): void {
    this.#slots.fill(0)
    this.#heads.clear()
    this.#count = 0
    this.#used = 0
  }

  /** The head's slot, or the empty one that it would take. */
  #slotOf(from: number, to: number, hash: number): number {
    const slots = this.#slots
    const last = slots.length - FIELDS
    let slot = (hash << SHIFT) & last
    while (slots[slot] !== 0) {
      if (slots[slot + HASH] === hash && slots[slot + LENGTH] === to - from) {
        if (this.#isAt(slots[slot + BYTES], from, to)) return slot
      }
      slot = (slot + FIELDS) & last
    }
    return slot
  }

  #isAt(place: number, from: number, to: number): boolean {
    const heads = this.#heads
    const view = this.#view
    let at = from
    for (let kept = place; at + 4 <= to; at += 4, kept += 4) {
      if (view.getInt32(at, true) !== heads.wordAt(kept)) return false
    }
    // The last word once more, or its end.
    return view.getInt32(to - 4, true) === heads.wordAt(place + to - from - 4)
  }

  #grow(): boolean {
    const old = this.#slots
    if (old.length / FIELDS >= MAX_SLOTS) return false
    const slots = new Int32Array(2 * old.length)
    const last = slots.length - FIELDS
    for (let from = 0; from < old.length; from += FIELDS) {
      if (old[from] === 0) continue
      let slot = (old[from + HASH] << SHIFT) & last
      while (slots[slot] !== 0) slot = (slot + FIELDS) & last
      slots.set(old.subarray(from, from + FIELDS), slot)
    }
    this.#slots = slots
    return true
  }

  #room(length: number): number {
    const at = this.#used
    if (at + length > this.series.length) {
      if (at + length > MAX_SERIES) return -1
      const larger = new Uint32Array(2 * (at + length))
      larger.set(this.series)
      this.series = larger
    }
    this.#used = at + length
    return at
  }

  /** Of all bytes: heads differ anywhere, often in the middle. FxHash's step, murmur3's end. */
  #hash(from: number, to: number): number {
    const view = this.#view
    let hash = this.#seed ^ (to - from)
    let at = from
    for (; at + 4 <= to; at += 4) {
      hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ view.getInt32(at, true), 0x9e3779b1)
    }
    hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ view.getInt32(to - 4, true), 0x9e3779b1)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return hash ^ (hash >>> 16)
  }
}
