/** What stands in a slot of a message, between its fixed parts. */
export const SLOT_DEVICE = 0
export const SLOT_TIME = 1
export const SLOT_METRIC = 2

/**
 * The fixed bytes of one kind of message: `{"device_id":"`, `","timestamp":"`, … Devices of a fleet
 * send the same bytes again and again but for the values, so comparing the fixed parts and reading
 * only the slots replaces parsing. A message that matches is JSON, because the one it was taken
 * from was, and the slots hold tokens of the same kind.
 */
export interface MessageShape {
  /** The bytes before each slot, and after the last: one more than slots. */
  readonly fixed: readonly Uint8Array[]
  readonly slots: readonly number[]
  /** Per slot: the metric's name; empty for other slots. */
  readonly metrics: readonly string[]
  /** Whether the time is a string. */
  readonly quotedTime: boolean
}

/** Notes where the slots of a message are while it is parsed token by token. */
export class ShapeRecorder {
  #begin = 0
  #bounds: number[] = []
  #slots: number[] = []
  #metrics: string[] = []
  #quotedTime = false

  open(at: number): void {
    this.#begin = at
    this.#bounds = []
    this.#slots = []
    this.#metrics = []
    this.#quotedTime = false
  }

  slot(kind: number, from: number, to: number): void {
    this.#slots.push(kind)
    this.#metrics.push('')
    this.#bounds.push(from, to)
  }

  metric(name: string, from: number, to: number): void {
    this.slot(SLOT_METRIC, from, to)
    this.#metrics[this.#metrics.length - 1] = name
  }

  time(quoted: boolean, from: number, to: number): void {
    this.slot(SLOT_TIME, from, to)
    this.#quotedTime = quoted
  }

  close(bytes: Uint8Array, end: number): MessageShape {
    const fixed: Uint8Array[] = []
    let from = this.#begin
    for (let i = 0; i < this.#bounds.length; i += 2) {
      fixed.push(Uint8Array.from(bytes.subarray(from, this.#bounds[i])))
      from = this.#bounds[i + 1]
    }
    fixed.push(Uint8Array.from(bytes.subarray(from, end)))
    const quotedTime = this.#quotedTime
    return { fixed, slots: this.#slots, metrics: this.#metrics, quotedTime }
  }
}
