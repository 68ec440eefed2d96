import type { Device } from '../model/device.ts'
import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { CatalogTurn } from './catalog-turn.ts'
import { newDeviceFields, patchedDeviceFields } from './device-input.ts'
import type { DeviceInput, DevicePatch } from './device-input.ts'
import type { DeviceView } from './device-list.ts'
import { deviceUuid } from './device-uuid.ts'
import type { Fleet } from './fleet.ts'
import type { Removals } from './removals.ts'

export interface DeclaredDevicesOptions {
  readonly catalog: Catalog
  readonly table: SeriesTable
  readonly clock: Clock
  readonly fleet: Fleet
  readonly removals: Removals
  readonly maxDevices: number
  readonly turn: CatalogTurn
  /** Device time of a device's newest point; undefined: none is known. */
  readonly newestPointMs: (device: DeviceEntry) => number | undefined
}

/** What people do to devices: in the catalog first, then in effect. */
export class DeclaredDevices {
  readonly #options: DeclaredDevicesOptions

  constructor(options: DeclaredDevicesOptions) {
    this.#options = options
  }

  /** See `Registry.create`. */
  create(tenant: string, input: DeviceInput): Promise<DeviceView> {
    const { catalog, table, clock, fleet, maxDevices, turn } = this.#options
    return turn(async () => {
      const fields = newDeviceFields(input)
      const known = table.findDevice(tenant, input.id)
      if (known !== undefined && fleet.has(known.id)) {
        throw new WeirError('conflict', `device ${JSON.stringify(input.id)} exists already`)
      }
      if (fleet.count >= maxDevices) {
        throw new WeirError('overloaded', `there are ${maxDevices} devices, the most allowed`, {
          limit: 'ingest.maxDevices',
        })
      }
      const uuid = deviceUuid(tenant, input.id)
      const times = { createdAtMs: clock.nowMs(), lastSeenMs: undefined }
      const created: Device = { tenant, id: input.id, uuid, ...fields, ...times }
      await catalog.createDevice(created)
      const { id } = table.device(tenant, input.id)
      // It may have sent meanwhile; what was declared wins over what first contact made of it.
      fleet.put(id, created)
      return fleet.viewAt(id) as DeviceView
    })
  }

  /** See `Registry.update`. */
  update(tenant: string, id: string, patch: DevicePatch): Promise<DeviceView> {
    const { catalog, table, fleet, turn } = this.#options
    return turn(async since => {
      const entry = table.findDevice(tenant, id)
      const before = entry === undefined ? undefined : fleet.recordAt(entry.id)
      if (entry === undefined || before === undefined) {
        throw new WeirError('not_found', `there is no device ${JSON.stringify(id)}`)
      }
      const updated: Device = { ...before, ...patchedDeviceFields(before, patch) }
      await catalog.saveDevice(updated, since)
      fleet.put(entry.id, updated)
      return fleet.viewAt(entry.id) as DeviceView
    })
  }

  /** See `Registry.remove`. */
  remove(tenant: string, id: string): Promise<boolean> {
    const { catalog, table, clock, fleet, removals, newestPointMs, turn } = this.#options
    return turn(async () => {
      const entry = table.findDevice(tenant, id)
      if (entry === undefined || !fleet.has(entry.id)) return false
      const nowMs = clock.nowMs()
      // A device whose clock is ahead has points that are newer than its removal.
      const removedAtMs = Math.max(nowMs, newestPointMs(entry) ?? nowMs)
      await catalog.deleteDevice(tenant, id, removedAtMs)
      fleet.remove(entry.id)
      await removals.note(tenant, id, removedAtMs)
      return true
    })
  }
}
