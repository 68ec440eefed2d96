import type { Clock } from '../ports/clock.ts'
import type { MetricUnit, UnitStore } from '../ports/units.ts'

const TICK_INTERVAL_MS = 1000

export interface UnitsOptions {
  readonly store: UnitStore
  readonly clock: Clock
  /** What could not be saved is kept and tried again. */
  readonly onError: (error: unknown) => void
}

/**
 * The unit of each metric of a device, as its records told it last. In memory, one for each series
 * that has one; saved within a second (a crash before that takes it until the next record). Of
 * several processes the last to save wins, and the others know within a second or two.
 */
export class Units {
  readonly #options: UnitsOptions
  readonly #units = new Map<string, MetricUnit>()
  #changed = new Map<string, MetricUnit>()
  #lastTurn: Promise<void> = Promise.resolve()
  #version = 0
  #isFollowing = false
  readonly #stop: () => void

  private constructor(options: UnitsOptions) {
    this.#options = options
    const { clock, store, onError } = options
    this.#stop = clock.every(TICK_INTERVAL_MS, () => {
      if (this.#changed.size > 0) this.flush().catch(onError)
      // It fails with the rest of the catalog, which tells of it.
      if (store.isShared && !this.#isFollowing) {
        this.#isFollowing = true
        const done = (): void => void (this.#isFollowing = false)
        this.#turn(() => this.#follow()).then(done, done)
      }
    })
  }

  /** Reads the store, which stays the caller's to close. Rejects as it does. */
  static async open(options: UnitsOptions): Promise<Units> {
    const units = new Units(options)
    try {
      await units.#follow()
      return units
    } catch (error) {
      units.#stop()
      throw error
    }
  }

  get(tenant: string, device: string, metric: string): string | undefined {
    return this.#units.get(keyOf({ tenant, device, metric }))?.unit
  }

  /** A stored record has told it. */
  tell(unit: MetricUnit): void {
    const key = keyOf(unit)
    if (this.#units.get(key)?.unit === unit.unit) return
    this.#units.set(key, unit)
    this.#changed.set(key, unit)
  }

  /** Saves what was told before the call; rejects when it could not. */
  flush(): Promise<void> {
    return this.#turn(() => this.#save())
  }

  /** No more ticks; then a last flush. */
  close(): Promise<void> {
    this.#stop()
    return this.flush()
  }

  /** One after the other, so that what is read is not older than what was saved. */
  #turn(work: () => Promise<void>): Promise<void> {
    const turn = this.#lastTurn.then(work)
    this.#lastTurn = turn.catch(() => {})
    return turn
  }

  async #follow(): Promise<void> {
    for (;;) {
      const { version, units } = await this.#options.store.since(this.#version)
      if (version === this.#version) return
      for (const unit of units) {
        const key = keyOf(unit)
        // What waits to be saved is newer.
        if (!this.#changed.has(key)) this.#units.set(key, unit)
      }
      this.#version = version
    }
  }

  async #save(): Promise<void> {
    const changed = this.#changed
    if (changed.size === 0) return
    this.#changed = new Map()
    try {
      await this.#options.store.save([...changed.values()])
    } catch (error) {
      this.#changed = new Map([...changed, ...this.#changed])
      throw error
    }
  }
}

/** Names hold no control characters. */
const keyOf = ({ tenant, device, metric }: Omit<MetricUnit, 'unit'>): string =>
  `${tenant}\0${device}\0${metric}`
