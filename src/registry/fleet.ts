import type { Device, DeviceStatus } from '../model/device.ts'
import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import type { Clock } from '../ports/clock.ts'
import type { DeviceView } from './device-list.ts'
import { Directory } from './directory.ts'
import { Presence } from './presence.ts'
import type { DeviceViolations } from './violation-counts.ts'

export interface FleetOptions {
  readonly table: SeriesTable
  readonly clock: Clock
  readonly startupGraceMs: number
  /** How long a device may be silent. */
  readonly timeoutOf: (device: Device) => number
  readonly violationsOf: (id: number) => DeviceViolations
  /** A device has come, changed or gone. */
  readonly onChange: (device: DeviceEntry) => void
  readonly onRemove: (id: number) => void
}

export interface StatusChange {
  readonly tenant: string
  readonly id: string
  readonly from: DeviceStatus
  readonly to: DeviceStatus
  readonly atMs: number
}

export interface StatusCounts {
  readonly online: number
  readonly offline: number
  readonly unknown: number
}

/** The registered devices as they are now, by `DeviceEntry.id`, and by name in their tenant. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #presence: Presence
  /** A hole where the device is not registered. */
  readonly #devices: (Device | undefined)[] = []
  readonly #directories = new Map<string, Directory>()
  #count = 0

  constructor(options: FleetOptions) {
    const { clock, startupGraceMs } = options
    this.#options = options
    this.#presence = new Presence({ nowMs: clock.nowMs(), graceMs: startupGraceMs })
  }

  get count(): number {
    return this.#count
  }

  /** Devices are about to be put that were last seen before this process came up. */
  downSince(ms: number): void {
    this.#presence.downSince(ms)
  }

  /** Hot. */
  has(id: number): boolean {
    return this.#presence.has(id)
  }

  /** Hot. The device is registered. */
  see(id: number, atMs: number): void {
    this.#presence.see(id, atMs)
  }

  /** The device is registered, and another process has seen it; whether that is news. */
  hear(id: number, seenMs: number): boolean {
    return this.#presence.hear(id, { seenMs, nowMs: this.#options.clock.nowMs() })
  }

  put(id: number, device: Device): void {
    const timeoutMs = this.#options.timeoutOf(device)
    if (this.has(id)) this.#presence.setTimeout(id, timeoutMs)
    else {
      const nowMs = this.#options.clock.nowMs()
      this.#presence.add(id, { timeoutMs, seenMs: device.lastSeenMs, nowMs })
      this.#directoryOf(device.tenant).add(device.id)
      this.#count++
    }
    this.#devices[id] = device
    this.#options.onChange(this.#options.table.deviceAt(id))
  }

  remove(id: number): void {
    const device = this.#devices[id]
    if (device === undefined) return
    this.#presence.remove(id)
    this.#devices[id] = undefined
    this.#directories.get(device.tenant)?.remove(device.id)
    this.#count--
    this.#options.onRemove(id)
    this.#options.onChange(this.#options.table.deviceAt(id))
  }

  /** The product of its devices is another now. */
  productChanged(tenant: string, product: string): void {
    for (let id = 0; id < this.#devices.length; id++) {
      const device = this.#devices[id]
      if (device?.product !== product || device.tenant !== tenant) continue
      this.#presence.setTimeout(id, this.#options.timeoutOf(device))
      this.#options.onChange(this.#options.table.deviceAt(id))
    }
  }

  productOf(id: number): string | undefined {
    return this.#devices[id]?.product
  }

  recordAt(id: number): Device | undefined {
    const device = this.#devices[id]
    return device === undefined ? undefined : { ...device, lastSeenMs: this.#presence.lastSeen(id) }
  }

  viewAt(id: number): DeviceView | undefined {
    const device = this.recordAt(id)
    if (device === undefined) return undefined
    const status = this.#presence.status(id, this.#options.clock.nowMs())
    return { ...device, status, violations: this.#options.violationsOf(id) }
  }

  statusAt(id: number): DeviceStatus | undefined {
    return this.has(id) ? this.#presence.status(id, this.#options.clock.nowMs()) : undefined
  }

  /** The tenant's devices by name; undefined when it never had one. */
  directory(tenant: string): Directory | undefined {
    return this.#directories.get(tenant)
  }

  counts(tenant: string | undefined): StatusCounts {
    const counts = { online: 0, offline: 0, unknown: 0 }
    const nowMs = this.#options.clock.nowMs()
    for (let id = 0; id < this.#devices.length; id++) {
      const device = this.#devices[id]
      if (device === undefined || (tenant !== undefined && device.tenant !== tenant)) continue
      counts[this.#presence.status(id, nowMs)]++
    }
    return counts
  }

  /** Tells of each device whose status is not what was told last. */
  sweep(tell: (change: StatusChange) => void): void {
    const atMs = this.#options.clock.nowMs()
    this.#presence.sweep(atMs, (id, from, to) => {
      const device = this.#devices[id]
      if (device !== undefined) tell({ tenant: device.tenant, id: device.id, from, to, atMs })
    })
  }

  #directoryOf(tenant: string): Directory {
    let directory = this.#directories.get(tenant)
    if (directory === undefined) {
      directory = new Directory()
      this.#directories.set(tenant, directory)
    }
    return directory
  }
}
