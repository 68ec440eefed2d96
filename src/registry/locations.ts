import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { Registry } from './registry.ts'

const SAVE_INTERVAL_MS = 1000
/** Each is a write to the disk: devices that move all the time are written in turns. */
const DEVICES_A_SAVE = 50
const MAX_WAITING = 100_000

export interface LocationsOptions {
  readonly registry: Pick<Registry, 'get' | 'update'>
  readonly clock: Clock
  readonly onError: (error: unknown) => void
}

interface Told {
  readonly tenant: string
  readonly device: string
  readonly location: string
}

/**
 * Where devices say that they are: the attribute `location`, and the site where none is declared.
 * Known at once, written within a second or so, one write for many messages.
 */
export class Locations {
  readonly #options: LocationsOptions
  readonly #waiting = new Map<string, Told>()
  #saving: Promise<void> | undefined
  readonly #stop: () => void

  constructor(options: LocationsOptions) {
    this.#options = options
    this.#stop = options.clock.every(SAVE_INTERVAL_MS, () => {
      this.#save(DEVICES_A_SAVE).catch(options.onError)
    })
  }

  get(tenant: string, device: string): string | undefined {
    const told = this.#waiting.get(`${tenant}\0${device}`)?.location
    return told ?? this.#kept(tenant, device)
  }

  /** A stored message has told it. Beyond a bound on what waits it is let go. */
  tell(tenant: string, device: string, location: string): void {
    if (this.get(tenant, device) === location || this.#waiting.size >= MAX_WAITING) return
    this.#waiting.set(`${tenant}\0${device}`, { tenant, device, location })
  }

  /** No more ticks; then all that waits is written. */
  close(): Promise<void> {
    this.#stop()
    return this.#save(Infinity)
  }

  #kept(tenant: string, device: string): string | undefined {
    const view = this.#options.registry.get(tenant, device)
    const { location } = view?.attributes ?? {}
    return typeof location === 'string' ? location : view?.site
  }

  async #save(most: number): Promise<void> {
    while (this.#saving !== undefined) await this.#saving.catch(() => {})
    this.#saving = this.#saveSome(most).finally(() => (this.#saving = undefined))
    await this.#saving
  }

  async #saveSome(most: number): Promise<void> {
    const { registry } = this.#options
    let saved = 0
    for (const [key, told] of this.#waiting) {
      if (saved++ >= most) return
      const { tenant, device, location } = told
      const view = registry.get(tenant, device)
      if (view !== undefined) {
        const site = view.site === undefined ? { site: location } : {}
        await registry.update(tenant, device, { attributes: { location }, ...site }).catch(passOver)
      }
      if (this.#waiting.get(key) === told) this.#waiting.delete(key)
    }
  }
}

/** A device that is gone, or that has no room for one more attribute, is not tried again. */
function passOver(error: unknown): void {
  const { kind } = error instanceof WeirError ? error : {}
  if (kind !== 'rejected' && kind !== 'not_found') throw error
}
