import type { Dictionary } from './dictionary.ts'

/** A device as this process knows it. `id` is dense: 0, 1, 2 … in order of first sight. */
export interface DeviceEntry {
  readonly id: number
  readonly tenant: string
  readonly name: string
  /** Metric name → series id. */
  readonly series: Map<string, number>
}

interface TenantEntry {
  readonly devices: Map<string, DeviceEntry>
  readonly metrics: Map<string, number>
  seriesCount: number
}

/**
 * The names of one process, interned: (tenant, device, metric) ↔ a dense series id, so that
 * everything per series is an array and a lookup is two map reads. Ids mean nothing outside
 * the process; what is stored or sent carries names (see `Batch`).
 */
export class SeriesTable {
  readonly #tenants = new Map<string, TenantEntry>()
  readonly #devices: DeviceEntry[] = []
  readonly #seriesDevice: DeviceEntry[] = []
  readonly #seriesMetric: string[] = []
  readonly #seriesMetricId: number[] = []
  readonly #metricNames: string[] = []
  /** The dense ids of dictionaries, by their `seriesDevice`: names that come again need no lookup. */
  readonly #resolved = new WeakMap<Uint32Array, { tenant: string; ids: Uint32Array }>()

  get deviceCount(): number {
    return this.#devices.length
  }

  get seriesCount(): number {
    return this.#seriesDevice.length
  }

  seriesCountOf(tenant: string): number {
    return this.#tenants.get(tenant)?.seriesCount ?? 0
  }

  get metricCount(): number {
    return this.#metricNames.length
  }

  deviceAt(id: number): DeviceEntry {
    return this.#devices[id]
  }

  deviceOf(series: number): DeviceEntry {
    return this.#seriesDevice[series]
  }

  metricOf(series: number): string {
    return this.#seriesMetric[series]
  }

  /** A dense id of (tenant, metric). */
  metricIdOf(series: number): number {
    return this.#seriesMetricId[series]
  }

  metricName(metricId: number): string {
    return this.#metricNames[metricId]
  }

  findDevice(tenant: string, name: string): DeviceEntry | undefined {
    return this.#tenants.get(tenant)?.devices.get(name)
  }

  /** The tenant's devices by name, in order of first sight. */
  devicesOf(tenant: string): ReadonlyMap<string, DeviceEntry> {
    return this.#tenant(tenant).devices
  }

  device(tenant: string, name: string): DeviceEntry {
    const { devices } = this.#tenant(tenant)
    let entry = devices.get(name)
    if (entry === undefined) {
      entry = { id: this.#devices.length, tenant, name, series: new Map() }
      devices.set(name, entry)
      this.#devices.push(entry)
    }
    return entry
  }

  series(device: DeviceEntry, metric: string): number {
    const known = device.series.get(metric)
    if (known !== undefined) return known
    const tenant = this.#tenant(device.tenant)
    const { metrics } = tenant
    tenant.seriesCount++
    let metricId = metrics.get(metric)
    if (metricId === undefined) {
      metricId = this.#metricNames.push(metric) - 1
      metrics.set(metric, metricId)
    }
    const id = this.#seriesDevice.length
    device.series.set(metric, id)
    this.#seriesDevice.push(device)
    this.#seriesMetric.push(metric)
    this.#seriesMetricId.push(metricId)
    return id
  }

  /** The dense id of each series in the batch's dictionary; unknown names are added. */
  resolve(dictionary: Dictionary): Uint32Array {
    const { tenant, devices, metrics, seriesDevice, seriesMetric } = dictionary
    const known = this.#resolved.get(seriesDevice)
    // A frame's tenant may have been replaced by its sender's.
    if (known?.tenant === tenant) return known.ids
    const entries = devices.map(name => this.device(tenant, name))
    const ids = new Uint32Array(seriesDevice.length)
    for (let s = 0; s < ids.length; s++) {
      ids[s] = this.series(entries[seriesDevice[s]], metrics[seriesMetric[s]])
    }
    this.#resolved.set(seriesDevice, { tenant, ids })
    return ids
  }

  /** Says what `resolve` would find out, for a batch whose builder knows it already. */
  remember({ tenant, seriesDevice }: Dictionary, ids: Uint32Array): void {
    this.#resolved.set(seriesDevice, { tenant, ids })
  }

  #tenant(name: string): TenantEntry {
    let entry = this.#tenants.get(name)
    if (entry === undefined) {
      entry = { devices: new Map(), metrics: new Map(), seriesCount: 0 }
      this.#tenants.set(name, entry)
    }
    return entry
  }
}
