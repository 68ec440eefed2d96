import type { Access } from '../model/access.ts'
import type { MqttAccess } from './options.ts'

/** Messages of a client with a limit that are taken in one go: what it can have too much. */
const MAX_BATCH = 16
/** A pause is looked at again after this long: a key may have been given back its room. */
const MAX_PAUSE_MS = 1000

/**
 * Slows the reading of one client down to what its key and its devices may send. A message that
 * was read is never dropped for it; the socket is not read while something is owed.
 */
export class Throttle {
  /** Whether nothing is to be read now. */
  isShut = false
  /** Whether there is a limit at all; then each batch is noted before the next one is read. */
  readonly isLimited: boolean
  readonly #access: Access
  readonly #limits: MqttAccess['limits']
  readonly #onOpen: () => void
  #owedUntilMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(access: Access, { limits }: MqttAccess, onOpen: () => void) {
    this.#access = access
    this.#limits = limits
    this.#onOpen = onOpen
    this.isLimited = limits.limits(access)
  }

  /** How many messages may be read in one go. */
  get batch(): number {
    return this.isLimited ? MAX_BATCH : Infinity
  }

  /** Messages have been read. */
  came(messages: number): void {
    if (!this.isLimited) return
    this.#limits.takeMessages(this.#access, messages)
    this.#look()
  }

  /** They have been stored, and their points noted; `owedMs` is what their devices owe. */
  settled(owedMs: number): void {
    if (owedMs > 0) this.#owedUntilMs = Math.max(this.#owedUntilMs, performance.now() + owedMs)
    if (this.isLimited || owedMs > 0) this.#look()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.isShut = true
  }

  #look(): void {
    if (this.#timer !== undefined) return
    const ofKey = this.isLimited ? this.#limits.pauseMs(this.#access) : 0
    const ms = Math.max(ofKey, this.#owedUntilMs - performance.now())
    this.isShut = ms > 0
    if (!this.isShut) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#look()
        if (!this.isShut) this.#onOpen()
      },
      Math.min(ms, MAX_PAUSE_MS),
    )
    this.#timer.unref()
  }
}
