import type { Batch } from '../model/batch.ts'
import type { Device, DeviceStatus, Product } from '../model/device.ts'
import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import { newDeviceFields, newProductFields, patchedDeviceFields } from './device-input.ts'
import type { DeviceInput, DevicePatch, ProductInput } from './device-input.ts'
import { listPage } from './device-list.ts'
import type { DeviceFilter, DevicePage, DeviceView, PageRequest } from './device-list.ts'
import { deviceUuid } from './device-uuid.ts'
import { Directory } from './directory.ts'
import { Presence } from './presence.ts'
import { WriteBehind } from './write-behind.ts'

export interface RegistryOptions {
  readonly catalog: Catalog
  readonly table: SeriesTable
  readonly clock: Clock
  readonly defaultTenant: string
  /** Whether a device that sends and is not registered is registered by that. */
  readonly autoCreate: boolean
  /** Of devices that say none, nor their product. */
  readonly expectedIntervalMs: number
  readonly offlineAfterIntervals: number
  /** What devices get on top, to come back, after this process came up. */
  readonly startupGraceMs: number
  /** How often what is new of devices goes to the catalog; a crash may lose as much of it. */
  readonly flushIntervalMs: number
  readonly maxDevices: number
  /** Failures of the background: the catalog's (which are tried again), and listeners' own. */
  readonly onError?: (error: unknown) => void
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

const SWEEP_INTERVAL_MS = 1000
/** How far behind the catalog's newest contact a device that it lost may be, by its own clock. */
const ADOPT_SLACK_MS = 10 * 60_000

/**
 * All devices of this process, in memory; the catalog is read once and written behind. Called
 * from the doors' thread.
 *
 * What people declare (`create`, `update`, `remove`, products) is in the catalog before the
 * promise resolves. What devices cause (first contact, last contact) follows within
 * `flushIntervalMs`, and while the catalog fails it is kept and tried again.
 */
export class Registry {
  readonly #options: RegistryOptions
  readonly #table: SeriesTable
  readonly #presence: Presence
  readonly #writes: WriteBehind
  /** By `DeviceEntry.id`; a hole where the device is not registered. */
  readonly #devices: (Device | undefined)[] = []
  readonly #directories = new Map<string, Directory>()
  readonly #products = new Map<string, Map<string, Product>>()
  readonly #listeners = new Set<(change: StatusChange) => void>()
  /** Devices that were admitted and have not been seen yet: they count, until the next sweep. */
  readonly #admitted = new Set<number>()
  readonly #stopSweep: () => void
  #count = 0
  /** The newest contact that the catalog knew at start; absent when it knew no device. */
  #knownUntilMs: number | undefined

  private constructor(options: RegistryOptions) {
    const { catalog, clock, flushIntervalMs, startupGraceMs } = options
    this.#options = options
    this.#table = options.table
    this.#presence = new Presence({ nowMs: clock.nowMs(), graceMs: startupGraceMs })
    this.#writes = new WriteBehind({
      catalog,
      clock,
      flushIntervalMs,
      deviceAt: id => this.#recordAt(id),
      onError: error => options.onError?.(error),
    })
    this.#stopSweep = clock.every(SWEEP_INTERVAL_MS, () => this.#sweep())
  }

  /** Reads the catalog, which stays the caller's to close. Rejects as the catalog does. */
  static async open(options: RegistryOptions): Promise<Registry> {
    const devices: Device[] = []
    const tenants = new Set([options.defaultTenant])
    for await (const chunk of options.catalog.devices()) {
      for (const device of chunk) {
        devices.push(device)
        tenants.add(device.tenant)
      }
    }
    const products = new Map<string, Product[]>()
    for (const tenant of tenants) products.set(tenant, await options.catalog.products(tenant))
    const registry = new Registry(options)
    registry.#load(devices, products)
    return registry
  }

  /**
   * Hot path: called for every durable batch, before it is acknowledged. Registers devices on
   * first contact and sets when they were last seen.
   */
  see(batch: Batch, arrivalMs: number): void {
    const ids = this.#table.resolve(batch)
    const { seriesDevice } = batch
    let last = -1
    for (let s = 0; s < ids.length; s++) {
      // The series of a device are neighbours, mostly; where they are not it is seen twice.
      if (seriesDevice[s] === last) continue
      last = seriesDevice[s]
      const device = this.#table.deviceOf(ids[s])
      if (!this.#presence.has(device.id) && !this.#meet(device, arrivalMs)) continue
      this.#presence.see(device.id, arrivalMs)
      this.#writes.seen(device.id)
    }
  }

  /** Hot, once a message: may this device send? `refusalOf` says why not. */
  admits(device: DeviceEntry): boolean {
    if (this.#presence.has(device.id) || this.#admitted.has(device.id)) return true
    if (this.refusalOf(device) !== undefined) return false
    this.#admitted.add(device.id)
    return true
  }

  /** A name that this process has never seen: may it become a device? */
  admitsNew(tenant: string, name: string): boolean {
    const { autoCreate, maxDevices } = this.#options
    if (this.get(tenant, name) !== undefined) return true
    return autoCreate && this.#count + this.#admitted.size < maxDevices
  }

  /** Why a device may not send; undefined when it may. `limit`: `maxDevices` is reached. */
  refusalOf(device: DeviceEntry): 'unregistered' | 'limit' | undefined {
    if (this.#presence.has(device.id) || this.#admitted.has(device.id)) return undefined
    if (!this.#options.autoCreate) return 'unregistered'
    return this.#count + this.#admitted.size < this.#options.maxDevices ? undefined : 'limit'
  }

  /**
   * Called at start, before the doors open, for each device that the store knows. Registers it
   * when the catalog lost it: the process crashed before it was written, or the catalog is new.
   * Devices that fell silent long before the catalog did are taken for removed by a person.
   */
  adopt(tenant: string, id: string, lastSeenMs: number): void {
    const device = this.#table.device(tenant, id)
    if (this.#presence.has(device.id)) return
    const knownUntilMs = this.#knownUntilMs ?? -Infinity
    if (lastSeenMs < knownUntilMs - ADOPT_SLACK_MS) return
    this.#meet(device, Math.min(lastSeenMs, this.#nowMs()), lastSeenMs)
  }

  get(tenant: string, id: string): DeviceView | undefined {
    const device = this.#table.findDevice(tenant, id)
    return device === undefined ? undefined : this.#viewAt(device.id)
  }

  statusOf(tenant: string, id: string): DeviceStatus | undefined {
    const device = this.#table.findDevice(tenant, id)
    if (device === undefined || !this.#presence.has(device.id)) return undefined
    return this.#presence.status(device.id, this.#nowMs())
  }

  /** A page in order of id. Devices that are there all the while come exactly once. */
  list(tenant: string, filter: DeviceFilter, page: PageRequest): DevicePage {
    const directory = this.#directories.get(tenant)
    if (directory === undefined) return { devices: [] }
    return listPage(directory, id => this.get(tenant, id), { filter, page })
  }

  counts(tenant?: string): StatusCounts {
    const counts = { online: 0, offline: 0, unknown: 0 }
    const nowMs = this.#nowMs()
    for (let id = 0; id < this.#devices.length; id++) {
      const device = this.#devices[id]
      if (device === undefined || (tenant !== undefined && device.tenant !== tenant)) continue
      counts[this.#presence.status(id, nowMs)]++
    }
    return counts
  }

  /**
   * @throws WeirError `rejected` (the message names the field), `conflict` when it exists,
   *   `overloaded` when `maxDevices` is reached, and what the catalog throws.
   */
  create(tenant: string, input: DeviceInput): Promise<DeviceView> {
    return this.#writes.turn(async () => {
      const fields = newDeviceFields(input)
      const known = this.#table.findDevice(tenant, input.id)
      if (known !== undefined && this.#presence.has(known.id)) {
        throw new WeirError('conflict', `device ${JSON.stringify(input.id)} exists already`)
      }
      const { maxDevices } = this.#options
      if (this.#count >= maxDevices) {
        throw new WeirError('overloaded', `there are ${maxDevices} devices, the most allowed`, {
          limit: 'ingest.maxDevices',
        })
      }
      await this.#loadProducts(tenant)
      const created: Device = {
        tenant,
        id: input.id,
        uuid: deviceUuid(tenant, input.id),
        ...fields,
        createdAtMs: this.#nowMs(),
        lastSeenMs: undefined,
      }
      await this.#options.catalog.saveDevices([created])
      const { id } = this.#table.device(tenant, input.id)
      // It may have sent meanwhile; what was declared wins over what first contact made of it.
      if (this.#presence.has(id)) this.#replace(id, created)
      else this.#install(id, created)
      return this.#viewAt(id) as DeviceView
    })
  }

  /** @throws WeirError `rejected` (the message names the field), `not_found`, the catalog's. */
  update(tenant: string, id: string, patch: DevicePatch): Promise<DeviceView> {
    return this.#writes.turn(async () => {
      const entry = this.#table.findDevice(tenant, id)
      const before = entry === undefined ? undefined : this.#recordAt(entry.id)
      if (entry === undefined || before === undefined) {
        throw new WeirError('not_found', `there is no device ${JSON.stringify(id)}`)
      }
      await this.#loadProducts(tenant)
      const updated: Device = { ...before, ...patchedDeviceFields(before, patch) }
      await this.#options.catalog.saveDevices([updated])
      this.#replace(entry.id, updated)
      return this.#viewAt(entry.id) as DeviceView
    })
  }

  /**
   * Removes the registration only: its telemetry stays until retention, and with `autoCreate` its
   * next message registers it anew. Resolves to whether there was one.
   */
  remove(tenant: string, id: string): Promise<boolean> {
    return this.#writes.turn(async () => {
      const entry = this.#table.findDevice(tenant, id)
      if (entry === undefined || !this.#presence.has(entry.id)) return false
      await this.#options.catalog.deleteDevice(tenant, id)
      this.#presence.remove(entry.id)
      this.#devices[entry.id] = undefined
      this.#directories.get(tenant)?.remove(id)
      this.#count--
      return true
    })
  }

  /** @throws WeirError `rejected` (the message names the field), `conflict`, the catalog's. */
  async createProduct(tenant: string, input: ProductInput): Promise<Product> {
    const product: Product = { tenant, ...newProductFields(input), createdAtMs: this.#nowMs() }
    return this.#writes.turn(async () => {
      const known = await this.#loadProducts(tenant)
      await this.#options.catalog.createProduct(product)
      known.set(product.id, product)
      for (const [id, device] of this.#devices.entries()) {
        if (device?.tenant === tenant && device.product === product.id) {
          this.#presence.setTimeout(id, this.#timeoutOf(device))
        }
      }
      return product
    })
  }

  products(tenant: string): Promise<Product[]> {
    return this.#options.catalog.products(tenant)
  }

  product(tenant: string, id: string): Promise<Product | undefined> {
    return this.#options.catalog.product(tenant, id)
  }

  /** Calls `listener`, from the sweep, for each device whose status changed; returns the way out. */
  onStatusChange(listener: (change: StatusChange) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Writes to the catalog all that it does not know yet; rejects when it fails (and keeps it). */
  flush(): Promise<void> {
    return this.#writes.flush()
  }

  /** Stops the sweep and flushes; rejects when the catalog takes it not. Safe to call again. */
  close(): Promise<void> {
    this.#stopSweep()
    return this.#writes.close()
  }

  #nowMs(): number {
    return this.#options.clock.nowMs()
  }

  #load(devices: readonly Device[], products: ReadonlyMap<string, readonly Product[]>): void {
    for (const [tenant, some] of products) {
      this.#products.set(tenant, new Map(some.map(product => [product.id, product])))
    }
    let newestMs = -Infinity
    for (const { lastSeenMs } of devices) newestMs = Math.max(newestMs, lastSeenMs ?? -Infinity)
    if (devices.length > 0) this.#knownUntilMs = Math.min(newestMs, this.#nowMs())
    this.#presence.downSince(newestMs)
    for (const device of devices) {
      this.#install(this.#table.device(device.tenant, device.id).id, device)
    }
  }

  async #loadProducts(tenant: string): Promise<Map<string, Product>> {
    let known = this.#products.get(tenant)
    if (known === undefined) {
      const products = await this.#options.catalog.products(tenant)
      known = new Map(products.map(product => [product.id, product]))
      this.#products.set(tenant, known)
    }
    return known
  }

  /** First contact. False when the device may not be registered. */
  #meet(device: DeviceEntry, atMs: number, seenMs?: number): boolean {
    const { autoCreate, maxDevices } = this.#options
    const counted = this.#admitted.delete(device.id)
    if (!autoCreate || (!counted && this.#count >= maxDevices)) return false
    this.#install(device.id, {
      tenant: device.tenant,
      id: device.name,
      uuid: deviceUuid(device.tenant, device.name),
      name: undefined,
      type: undefined,
      product: undefined,
      site: undefined,
      attributes: {},
      expectedIntervalMs: undefined,
      createdAtMs: atMs,
      lastSeenMs: seenMs,
    })
    this.#writes.changed(device.id)
    return true
  }

  #install(id: number, device: Device): void {
    this.#devices[id] = device
    const timeoutMs = this.#timeoutOf(device)
    this.#presence.add(id, { timeoutMs, seenMs: device.lastSeenMs, nowMs: this.#nowMs() })
    let directory = this.#directories.get(device.tenant)
    if (directory === undefined) {
      directory = new Directory()
      this.#directories.set(device.tenant, directory)
    }
    directory.add(device.id)
    this.#count++
  }

  #replace(id: number, device: Device): void {
    this.#devices[id] = device
    this.#presence.setTimeout(id, this.#timeoutOf(device))
  }

  #timeoutOf(device: Device): number {
    const { expectedIntervalMs, offlineAfterIntervals } = this.#options
    const product =
      device.product === undefined
        ? undefined
        : this.#products.get(device.tenant)?.get(device.product)
    const intervalMs =
      device.expectedIntervalMs ?? product?.expectedIntervalMs ?? expectedIntervalMs
    return offlineAfterIntervals * intervalMs
  }

  #recordAt(id: number): Device | undefined {
    const device = this.#devices[id]
    return device === undefined ? undefined : { ...device, lastSeenMs: this.#presence.lastSeen(id) }
  }

  #viewAt(id: number): DeviceView | undefined {
    const device = this.#recordAt(id)
    if (device === undefined) return undefined
    return { ...device, status: this.#presence.status(id, this.#nowMs()) }
  }

  #sweep(): void {
    this.#admitted.clear()
    const atMs = this.#nowMs()
    this.#presence.sweep(atMs, (id, from, to) => {
      const device = this.#devices[id]
      if (device !== undefined) this.#tell({ tenant: device.tenant, id: device.id, from, to, atMs })
    })
  }

  #tell(change: StatusChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(change)
      } catch (error) {
        this.#options.onError?.(error)
      }
    }
  }
}
