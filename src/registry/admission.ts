import type { DeviceEntry } from '../model/series-table.ts'

export interface AdmissionOptions {
  /** Whether a device that sends and is not registered is registered by that. */
  readonly autoCreate: boolean
  readonly maxDevices: number
  /** By `DeviceEntry.id`. */
  readonly isRegistered: (id: number) => boolean
  readonly count: () => number
}

/** Which devices may send, so that there are never more than `maxDevices`. */
export class Admission {
  readonly #options: AdmissionOptions
  /** Devices that were admitted and have not been seen yet: they count, until `expire`. */
  readonly #admitted = new Set<number>()

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Hot, once a message: may this device send? `refusalOf` says why not. */
  admits(device: DeviceEntry): boolean {
    if (this.#options.isRegistered(device.id) || this.#admitted.has(device.id)) return true
    if (this.refusalOf(device) !== undefined) return false
    this.#admitted.add(device.id)
    return true
  }

  /** Why a device may not send; undefined when it may. `limit`: `maxDevices` is reached. */
  refusalOf(device: DeviceEntry): 'unregistered' | 'limit' | undefined {
    if (this.#options.isRegistered(device.id) || this.#admitted.has(device.id)) return undefined
    if (!this.#options.autoCreate) return 'unregistered'
    return this.#hasRoom() ? undefined : 'limit'
  }

  /** Whether a name that this process has never seen may become a device. */
  admitsNew(): boolean {
    return this.#options.autoCreate && this.#hasRoom()
  }

  /** First contact: whether the device may be registered by it. */
  settles(device: DeviceEntry): boolean {
    const { autoCreate, maxDevices, count } = this.#options
    const counted = this.#admitted.delete(device.id)
    return autoCreate && (counted || count() < maxDevices)
  }

  /** Those that were admitted and did not come give their places back. */
  expire(): void {
    this.#admitted.clear()
  }

  #hasRoom(): boolean {
    return this.#options.count() + this.#admitted.size < this.#options.maxDevices
  }
}
