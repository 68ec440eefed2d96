import type { Device, DeviceStatus } from '../model/device.ts'
import type { Directory } from './directory.ts'
import type { DeviceViolations } from './violation-counts.ts'

/** A device as it is now. */
export interface DeviceView extends Device {
  readonly status: DeviceStatus
  readonly violations: DeviceViolations
}

/** All that are given must hold; `search` is looked for in id and name, in any case. */
export interface DeviceFilter {
  /** Only this one: what a key of one device may see. */
  readonly id?: string | undefined
  readonly site?: string | undefined
  readonly product?: string | undefined
  readonly type?: string | undefined
  readonly status?: DeviceStatus | undefined
  readonly search?: string | undefined
}

export interface PageRequest {
  /** 1 or more. */
  readonly limit: number
  /** `next` of the page before. */
  readonly after?: string | undefined
}

export interface DevicePage {
  readonly devices: DeviceView[]
  /** Absent on the last page. */
  readonly next?: string
}

/** One page of a tenant's devices in order of id. Looks at every device until the page is full. */
export function listPage(
  directory: Directory,
  viewOf: (id: string) => DeviceView | undefined,
  { filter, page }: { readonly filter: DeviceFilter; readonly page: PageRequest },
): DevicePage {
  if (filter.id !== undefined) return oneDevice(viewOf(filter.id), { filter, page })
  const names = directory.names()
  const search = filter.search?.toLowerCase()
  const devices: DeviceView[] = []
  const first = page.after === undefined ? 0 : directory.indexAfter(page.after)
  for (let i = first; i < names.length; i++) {
    const device = viewOf(names[i])
    if (device === undefined || !matches(device, filter, search)) continue
    if (devices.length === page.limit) return { devices, next: devices[devices.length - 1].id }
    devices.push(device)
  }
  return { devices }
}

function oneDevice(
  device: DeviceView | undefined,
  { filter, page }: { readonly filter: DeviceFilter; readonly page: PageRequest },
): DevicePage {
  if (device === undefined || (page.after !== undefined && device.id <= page.after)) {
    return { devices: [] }
  }
  return { devices: matches(device, filter, filter.search?.toLowerCase()) ? [device] : [] }
}

function matches(device: DeviceView, filter: DeviceFilter, search: string | undefined): boolean {
  const { site, product, type, status } = filter
  if (site !== undefined && device.site !== site) return false
  if (product !== undefined && device.product !== product) return false
  if (type !== undefined && device.type !== type) return false
  if (status !== undefined && device.status !== status) return false
  if (search === undefined || device.id.toLowerCase().includes(search)) return true
  return device.name?.toLowerCase().includes(search) === true
}
