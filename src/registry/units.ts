import type { Clock } from '../ports/clock.ts'
import type { MetricUnit, UnitStore } from '../ports/units.ts'

const SAVE_INTERVAL_MS = 1000

export interface UnitsOptions {
  readonly store: UnitStore
  readonly clock: Clock
  /** What could not be saved is kept and tried again. */
  readonly onError: (error: unknown) => void
}

/**
 * The unit of each metric of a device, as its records told it last. In memory, one for each series
 * that has one; saved within a second (a crash before that takes it until the next record).
 */
export class Units {
  readonly #options: UnitsOptions
  readonly #units = new Map<string, MetricUnit>()
  #changed = new Map<string, MetricUnit>()
  #saving: Promise<void> = Promise.resolve()
  readonly #stop: () => void

  private constructor(options: UnitsOptions) {
    this.#options = options
    this.#stop = options.clock.every(SAVE_INTERVAL_MS, () => {
      if (this.#changed.size > 0) this.flush().catch(options.onError)
    })
  }

  /** Reads the store, which stays the caller's to close. Rejects as it does. */
  static async open(options: UnitsOptions): Promise<Units> {
    const all = await options.store.all()
    const units = new Units(options)
    for (const unit of all) units.#units.set(keyOf(unit), unit)
    return units
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
    const saving = this.#saving.then(() => this.#save())
    this.#saving = saving.catch(() => {})
    return saving
  }

  /** No more ticks; then a last flush. */
  close(): Promise<void> {
    this.#stop()
    return this.flush()
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
