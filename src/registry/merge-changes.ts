import type { Device } from '../model/device.ts'
import type { SeriesTable } from '../model/series-table.ts'
import type { CatalogChanges, SeenDevice } from '../ports/catalog.ts'
import type { Fleet } from './fleet.ts'
import type { Products } from './products.ts'
import type { Removals } from './removals.ts'

interface Known {
  readonly table: SeriesTable
  readonly fleet: Fleet
  readonly removals: Removals
  readonly products: Products
}

/** Brings in what other processes changed; what this one changed itself changes nothing again. */
export function mergeChanges(changes: CatalogChanges, known: Known): void {
  const { table, fleet, removals, products } = known
  for (const removal of changes.removals) {
    removals.learn(removal)
    const entry = table.findDevice(removal.tenant, removal.id)
    if (entry !== undefined) fleet.remove(entry.id)
  }
  for (const device of changes.devices) {
    const { id } = table.device(device.tenant, device.id)
    // Put as never seen: that it was is news, as it is for the process that it came to.
    fleet.put(id, { ...device, lastSeenMs: undefined })
    if (device.lastSeenMs !== undefined) fleet.hear(id, device.lastSeenMs)
  }
  for (const { tenant, id } of changes.removedProducts) products.unlearn(tenant, id)
  for (const product of changes.products) products.learn(product)
}

/** Last contacts that other processes told of; calls `heard` with those that are news. */
export function mergeContacts(
  seen: readonly SeenDevice[],
  { table, fleet }: Pick<Known, 'table' | 'fleet'>,
  heard: (id: number) => void,
): void {
  for (const { tenant, id, lastSeenMs } of seen) {
    const entry = table.findDevice(tenant, id)
    if (entry === undefined || !fleet.has(entry.id)) continue
    if (fleet.hear(entry.id, lastSeenMs)) heard(entry.id)
  }
}

/** Devices as the catalog has them, with the contacts that it was not told of yet. */
export function withContacts(
  devices: readonly Device[],
  seen: readonly SeenDevice[],
): readonly Device[] {
  if (seen.length === 0) return devices
  const newest = new Map<string, number>()
  for (const { tenant, id, lastSeenMs } of seen) {
    const name = `${tenant}\0${id}`
    newest.set(name, Math.max(newest.get(name) ?? lastSeenMs, lastSeenMs))
  }
  return devices.map(device => {
    const heardMs = newest.get(`${device.tenant}\0${device.id}`)
    if (heardMs === undefined) return device
    return { ...device, lastSeenMs: Math.max(device.lastSeenMs ?? heardMs, heardMs) }
  })
}
