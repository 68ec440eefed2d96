import type { Batch } from '../model/batch.ts'
import type { Device, DeviceStatus } from '../model/device.ts'
import type { MetricDeclaration } from '../model/product.ts'
import type { DeviceEntry, SeriesTable } from '../model/series-table.ts'
import { ValueRules } from '../model/value-rules.ts'
import type { Violations } from '../model/violation.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import { Admission } from './admission.ts'
import type { CatalogTurn } from './catalog-turn.ts'
import { DeclaredDevices } from './declared-devices.ts'
import type { DeviceInput, DevicePatch } from './device-input.ts'
import { listPage } from './device-list.ts'
import type { DeviceFilter, DevicePage, DeviceView, PageRequest } from './device-list.ts'
import { deviceUuid } from './device-uuid.ts'
import { Fleet } from './fleet.ts'
import type { StatusChange, StatusCounts } from './fleet.ts'
import { Listeners } from './listeners.ts'
import { mergeChanges, mergeContacts, withContacts } from './merge-changes.ts'
import { Products } from './products.ts'
import { Removals } from './removals.ts'
import { SharedCatalog } from './shared-catalog.ts'
import { ViolationCounts } from './violation-counts.ts'
import type { ViolationNews, ViolationTotal } from './violation-counts.ts'
import { WriteBehind } from './write-behind.ts'

export interface RegistryOptions {
  readonly catalog: Catalog
  readonly table: SeriesTable
  readonly clock: Clock
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
  readonly maxProducts: number
  /** Device time of a device's newest point; absent: of none is known. */
  readonly newestPointMs?: (device: DeviceEntry) => number | undefined
  /** The unit that a device itself told of a metric; it wins over the product's. */
  readonly toldUnit?: (device: DeviceEntry, metric: string) => string | undefined
  /** Failures of the background: the catalog's (which are tried again), and listeners' own. */
  readonly onError?: (error: unknown) => void
}

const SWEEP_INTERVAL_MS = 1000
/** With a shared catalog: processes hear of contacts from each other, the catalog is for restarts. */
const SHARED_TOUCH_INTERVAL_MS = 60_000

/** What was read of the catalog at start. */
interface Read {
  readonly removals: Removals
  readonly version: number
  readonly contactsVersion: number
}

/**
 * All devices and products, in memory; the catalog is read once and written behind, and followed
 * where other processes use it too. Called from the doors' thread.
 *
 * What people declare (`create`, `update`, `remove`, `products`) is in the catalog before the
 * promise resolves. What devices cause (first contact, last contact) follows within
 * `flushIntervalMs`, and while the catalog fails it is kept and tried again. What other processes
 * do is known within a second or so (`refresh`), who they hear of likewise.
 */
export class Registry {
  readonly products: Products
  /** What the products declare of values, for the doors. */
  readonly rules: ValueRules
  readonly #options: RegistryOptions
  readonly #table: SeriesTable
  readonly #fleet: Fleet
  readonly #admission: Admission
  readonly #declared: DeclaredDevices
  readonly #removals: Removals
  readonly #violations: ViolationCounts
  readonly #writes: WriteBehind
  /** Undefined: this process is the only one. */
  readonly #shared: SharedCatalog | undefined
  readonly #statusListeners: Listeners<StatusChange>
  readonly #violationListeners: Listeners<ViolationNews>
  readonly #stopSweep: () => void

  private constructor(options: RegistryOptions, read: Read) {
    const { autoCreate, catalog, clock, flushIntervalMs, maxDevices, startupGraceMs } = options
    const { table } = options
    const { isShared } = catalog.capabilities
    const { removals } = read
    const onError = (error: unknown): void => options.onError?.(error)
    this.#options = options
    this.#table = table
    this.#violations = new ViolationCounts(table)
    this.rules = new ValueRules(table, (device, metric) => this.#rulePlace(device, metric))
    this.#fleet = new Fleet({
      ...{ table, clock, startupGraceMs },
      timeoutOf: device => this.#timeoutOf(device),
      violationsOf: id => this.#violations.of(id),
      onChange: device => this.rules.forget(device),
      onRemove: id => this.#violations.forget(id),
    })
    const deviceAt = (id: number): Device | undefined => this.#fleet.recordAt(id)
    const writes = new WriteBehind({
      ...{ catalog, clock, flushIntervalMs, deviceAt, onError },
      touchEveryTicks: isShared ? Math.ceil(SHARED_TOUCH_INTERVAL_MS / flushIntervalMs) : 1,
      isEager: isShared,
      since: () => this.#shared?.version,
    })
    this.#writes = writes
    const isRegistered = (id: number): boolean => this.#fleet.has(id)
    const count = (): number => this.#fleet.count
    this.#admission = new Admission({ autoCreate, maxDevices, isRegistered, count })
    this.#removals = removals
    const turn: CatalogTurn = work =>
      writes.turn(() => this.#shared?.upToDate(work) ?? work(undefined))
    this.#declared = new DeclaredDevices({
      ...{ catalog, table, clock, maxDevices, turn, fleet: this.#fleet, removals },
      newestPointMs: device => options.newestPointMs?.(device),
    })
    this.products = new Products({
      ...{ catalog, clock, turn, rules: this.rules, maxProducts: options.maxProducts },
      onChange: (tenant, id) => this.#fleet.productChanged(tenant, id),
    })
    if (isShared) {
      const known = { table, fleet: this.#fleet, removals, products: this.products }
      this.#shared = new SharedCatalog({
        ...{ ...read, catalog, clock, onError, turn: work => writes.turn(work) },
        deviceAt,
        isFresh: id => writes.isFresh(id),
        merge: changes => mergeChanges(changes, known),
        hear: seen =>
          mergeContacts(seen, known, id => {
            // Who saw it last writes it, so that a fleet is not written once a process.
            writes.seenElsewhere(id)
            this.#shared?.seenElsewhere(id)
          }),
        onAnswer: () => writes.retry(),
      })
    }
    this.#statusListeners = new Listeners(onError)
    this.#violationListeners = new Listeners(onError)
    this.#stopSweep = clock.every(SWEEP_INTERVAL_MS, () => this.#sweep())
  }

  /** Reads the catalog, which stays the caller's to close. Rejects as the catalog does. */
  static async open(options: RegistryOptions): Promise<Registry> {
    const { catalog, clock, table } = options
    // First: what changes while the catalog is read comes with the changes after it.
    const version = await catalog.version()
    const contacts = (await catalog.contacts?.since(0)) ?? { version: 0, seen: [] }
    const read: Device[] = []
    for await (const chunk of catalog.devices()) for (const device of chunk) read.push(device)
    const devices = withContacts(read, contacts.seen)
    const seenMs = devices.reduce((newest, { lastSeenMs = newest }) => {
      return Math.max(newest, lastSeenMs)
    }, -Infinity)
    const products = await catalog.products()
    const removals = new Removals(catalog)
    await removals.load(devices.length === 0 ? undefined : seenMs, clock.nowMs())
    const registry = new Registry(options, {
      ...{ removals, version, contactsVersion: contacts.version },
    })
    registry.products.load(products)
    registry.#fleet.downSince(seenMs)
    for (const device of devices) {
      registry.#fleet.put(table.device(device.tenant, device.id).id, device)
    }
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
      this.#seeDevice(this.#table.deviceOf(ids[s]), arrivalMs)
    }
  }

  /** The same for a batch of the log from before this process: what was removed stays removed. */
  replay(batch: Batch, arrivalMs: number): void {
    if (this.#removals.isEmpty) {
      this.see(batch, arrivalMs)
      return
    }
    for (let d = 0; d < batch.devices.length; d++) {
      const device = this.#table.device(batch.tenant, batch.devices[d])
      const isNew = !this.#fleet.has(device.id)
      if (isNew && this.#removals.covers(device.tenant, device.name, newestMs(batch, d))) continue
      this.#seeDevice(device, arrivalMs)
    }
  }

  /** Hot, once a message: may this device send? `refusalOf` says why not. */
  admits(device: DeviceEntry): boolean {
    return this.#admission.admits(device)
  }

  /** A name that this process has never seen: may it become a device? */
  admitsNew(tenant: string, name: string): boolean {
    return this.get(tenant, name) !== undefined || this.#admission.admitsNew()
  }

  /** Why a device may not send; undefined when it may. `limit`: `maxDevices` is reached. */
  refusalOf(device: DeviceEntry): 'unregistered' | 'limit' | undefined {
    return this.#admission.refusalOf(device)
  }

  /** Values that are not as declared: called once they are durable, or refused for good. */
  countViolations(violations: Violations): void {
    this.#violations.count(violations)
  }

  violationTotals(): ViolationTotal[] {
    return this.#violations.totals()
  }

  /**
   * Called at start, before the doors open, for each device that the store knows. Registers it
   * when the catalog lost it: the process crashed before it was written, or the catalog is new.
   * What people removed stays away (`Removals`).
   */
  adopt(tenant: string, id: string, newestPointMs: number): void {
    const device = this.#table.device(tenant, id)
    if (this.#fleet.has(device.id) || this.#removals.keepsAway(tenant, id, newestPointMs)) return
    this.#meet(device, Math.min(newestPointMs, this.#options.clock.nowMs()), newestPointMs)
  }

  get(tenant: string, id: string): DeviceView | undefined {
    const device = this.#table.findDevice(tenant, id)
    return device === undefined ? undefined : this.#fleet.viewAt(device.id)
  }

  statusOf(tenant: string, id: string): DeviceStatus | undefined {
    const device = this.#table.findDevice(tenant, id)
    return device === undefined ? undefined : this.#fleet.statusAt(device.id)
  }

  /** What the device's product declares, by metric; undefined when there is nothing. */
  metricsOf(tenant: string, id: string): Readonly<Record<string, MetricDeclaration>> | undefined {
    const device = this.#table.findDevice(tenant, id)
    const product = device === undefined ? undefined : this.#fleet.productOf(device.id)
    return product === undefined ? undefined : this.products.get(tenant, product)?.metrics
  }

  /** The unit of a metric: what the device told, else its product's; undefined: not known. */
  unitOf(tenant: string, id: string, metric: string): string | undefined {
    const device = this.#table.findDevice(tenant, id)
    if (device === undefined) return undefined
    const told = this.#options.toldUnit?.(device, metric)
    if (told !== undefined) return told
    const product = this.#fleet.productOf(device.id)
    return product === undefined
      ? undefined
      : this.products.declaration(tenant, product, metric)?.unit
  }

  /** A page in order of id. Devices that are there all the while come exactly once. */
  list(tenant: string, filter: DeviceFilter, page: PageRequest): DevicePage {
    const directory = this.#fleet.directory(tenant)
    if (directory === undefined) return { devices: [] }
    return listPage(directory, id => this.get(tenant, id), { filter, page })
  }

  counts(tenant?: string): StatusCounts {
    return this.#fleet.counts(tenant)
  }

  /**
   * @throws WeirError `rejected` (the message names the field), `conflict` when it exists,
   *   `overloaded` when `maxDevices` is reached, and what the catalog throws.
   */
  create(tenant: string, input: DeviceInput): Promise<DeviceView> {
    return this.#declared.create(tenant, input)
  }

  /** @throws WeirError `rejected` (the message names the field), `not_found`, the catalog's. */
  update(tenant: string, id: string, patch: DevicePatch): Promise<DeviceView> {
    return this.#declared.update(tenant, id, patch)
  }

  /**
   * Removes the registration only: its points stay, and with `autoCreate` the next message that
   * it sends registers it anew. Resolves to whether there was one.
   */
  remove(tenant: string, id: string): Promise<boolean> {
    return this.#declared.remove(tenant, id)
  }

  /** Calls `listener`, from the sweep, for each device whose status changed; returns the way out. */
  onStatusChange(listener: (change: StatusChange) => void): () => void {
    return this.#statusListeners.add(listener)
  }

  /** Calls `listener`, from the sweep, for each device that had values not as declared. */
  onViolations(listener: (news: ViolationNews) => void): () => void {
    return this.#violationListeners.add(listener)
  }

  /**
   * For reads that find nothing: learns what other processes have done until now, before a door
   * says that it is not there. Cheap in numbers; at once where this process is the only one. Never
   * rejects, and waits for no catalog that is away.
   */
  async refresh(): Promise<void> {
    await this.#shared?.refresh()
  }

  /**
   * Resolves when other processes can find every device that was seen here; undefined when they can
   * already, or there are none. Rejects as the catalog does.
   */
  whenShared(): Promise<void> | undefined {
    return this.#shared === undefined ? undefined : this.#writes.whenMetAreSaved()
  }

  /** Writes to the catalog all that it does not know yet; rejects when it fails (and keeps it). */
  flush(): Promise<void> {
    return this.#writes.flush()
  }

  /** Stops the sweep and flushes; rejects when the catalog takes it not. Safe to call again. */
  async close(): Promise<void> {
    this.#stopSweep()
    await this.#shared?.close()
    await this.#writes.close()
  }

  #seeDevice(device: DeviceEntry, arrivalMs: number): void {
    if (!this.#fleet.has(device.id) && !this.#meet(device, arrivalMs)) return
    this.#fleet.see(device.id, arrivalMs)
    this.#writes.seen(device.id)
    this.#shared?.seen(device.id)
  }

  /** First contact. False when the device may not be registered. */
  #meet(device: DeviceEntry, atMs: number, seenMs?: number): boolean {
    if (!this.#admission.settles(device)) return false
    this.#fleet.put(device.id, {
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
    this.#writes.met(device.id)
    return true
  }

  #rulePlace(device: DeviceEntry, metric: string): number {
    const product = this.#fleet.productOf(device.id)
    return product === undefined ? -1 : this.products.rulePlace(device.tenant, product, metric)
  }

  #timeoutOf({ tenant, product, expectedIntervalMs }: Device): number {
    const { offlineAfterIntervals } = this.#options
    const declared = product === undefined ? undefined : this.products.get(tenant, product)
    const intervalMs =
      expectedIntervalMs ?? declared?.expectedIntervalMs ?? this.#options.expectedIntervalMs
    return offlineAfterIntervals * intervalMs
  }

  #sweep(): void {
    this.#admission.expire()
    this.#fleet.sweep(change => this.#statusListeners.tell(change))
    this.#violations.drain(news => this.#violationListeners.tell(news))
  }
}

/** The newest device time of the batch's device at that place. */
function newestMs(batch: Batch, device: number): number {
  const { seriesDevice, seriesIndex, timestamps } = batch
  let newest = -Infinity
  for (let i = 0; i < timestamps.length; i++) {
    if (seriesDevice[seriesIndex[i]] === device) newest = Math.max(newest, timestamps[i] / 1000)
  }
  return newest
}
