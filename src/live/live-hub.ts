import type { Batch } from '../model/batch.ts'
import { isoFromTime } from '../model/time.ts'
import type { LogEntry, LogPosition } from '../ports/log.ts'
import { EntryRing } from './entry-ring.ts'
import { plainEventIds, type EventIds } from './event-id.ts'

/** Which points a subscriber wants; absent means all. */
export interface LiveFilter {
  readonly tenant: string
  /**
   * Asked once for each series of a batch, not for each point; without a metric for an event of the
   * device itself. It says no to what its subscriber may not see.
   */
  readonly wants: (device: string, metric?: string) => boolean
}

/** What is announced of a device; every member is shown. */
interface DeviceEvent {
  readonly device_id: string
  readonly [name: string]: unknown
}

export interface LiveSeries {
  readonly tenant: string
  readonly device: string
  readonly metric: string
}

export interface LiveSubscriber {
  readonly filter: LiveFilter
  /** Takes server-sent events as text. False: it cannot keep up, and is dropped (it may resume). */
  readonly send: (events: string) => boolean
  /** As `send`, for what it missed. False: it has enough for now, and resumes for what follows. */
  readonly replay: (events: string) => boolean
  readonly onDropped: () => void
}

export interface LiveHubOptions {
  /** Bytes of recent batches kept for subscribers that resume. */
  readonly replayBytes: number
  readonly maxSubscribers: number
  readonly ids?: EventIds
  /** The first entry that will be published, per partition of the log. */
  readonly begins?: readonly LogPosition[]
  /** Called with the tenants that have subscribers, whenever these are others than before. */
  readonly onInterest?: (tenants: readonly string[]) => void
}

/**
 * Fan-out of new points to subscribers of the live stream, as server-sent events (WHATWG HTML,
 * 9.2). The id of an event is how far this process had come in the log (`event-id.ts`), so that it
 * means the same after a restart and in other processes; who comes back with one gets what it missed
 * as far as it is kept, and a `gap` event where it is not.
 */
export class LiveHub {
  readonly #subscribers = new Set<LiveSubscriber>()
  readonly #ring: EntryRing
  readonly #maxSubscribers: number
  readonly #ids: EventIds
  readonly #onInterest: LiveHubOptions['onInterest']
  #interest: readonly string[] = []

  constructor(options: LiveHubOptions) {
    this.#ring = new EntryRing(options.replayBytes, options.begins)
    this.#maxSubscribers = options.maxSubscribers
    this.#ids = options.ids ?? plainEventIds
    this.#onInterest = options.onInterest
  }

  get subscriberCount(): number {
    return this.#subscribers.size
  }

  /** Called for every durable batch, before it is acknowledged. */
  publish(entry: LogEntry): void {
    this.#ring.push(entry)
    if (this.#subscribers.size === 0) return
    let id: string | undefined
    const idOf = (): string => (id ??= this.#ids.encode(entry.batch.tenant, this.#ring.places))
    for (const subscriber of this.#subscribers) {
      const events = eventsOf(entry, subscriber, idOf)
      if (events !== '') this.#send(subscriber, events)
    }
  }

  /** Something other than points, such as a device's change of status; it cannot be resumed. */
  announce(event: string, tenant: string, data: DeviceEvent): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
    for (const subscriber of this.#subscribers) {
      const { filter } = subscriber
      if (filter.tenant === tenant && filter.wants(data.device_id)) this.#send(subscriber, text)
    }
  }

  /** As `announce`, for those who want points of this series. */
  announceOf(event: string, series: LiveSeries, data: object): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
    for (const subscriber of this.#subscribers) {
      const { tenant, wants } = subscriber.filter
      if (tenant !== series.tenant || !wants(series.device, series.metric)) continue
      this.#send(subscriber, text)
    }
  }

  /** Some points or events of the tenant got lost on their way here: its subscribers are told. */
  gap(tenant: string): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.filter.tenant === tenant) this.#sendGap(subscriber, null)
    }
  }

  /**
   * Starts a subscription, first with what came after `lastEventId`. Returns how to end it, or
   * undefined when there are too many (`live.maxSubscribers`).
   */
  subscribe(subscriber: LiveSubscriber, lastEventId?: string): (() => void) | undefined {
    if (this.#subscribers.size >= this.#maxSubscribers) return undefined
    this.#subscribers.add(subscriber)
    const { tenant } = subscriber.filter
    const places = lastEventId === undefined ? undefined : this.#ids.decode(tenant, lastEventId)
    if (places !== undefined) {
      const { entries, complete, from } = this.#ring.after(places, tenant)
      if (!complete) this.#sendGap(subscriber, lastEventId)
      const reached = new Map(from)
      for (const entry of entries) {
        reached.set(entry.position.partition, entry.position.offset)
        const events = eventsOf(entry, subscriber, () => this.#ids.encode(tenant, reached))
        if (events !== '' && !subscriber.replay(events)) break
      }
    } else if (lastEventId !== undefined) {
      // Of another process, perhaps: what came after it is not known here.
      this.#sendGap(subscriber, lastEventId)
    }
    this.#tellInterest()
    return () => this.#remove(subscriber)
  }

  #remove(subscriber: LiveSubscriber): boolean {
    const removed = this.#subscribers.delete(subscriber)
    if (removed) this.#tellInterest()
    return removed
  }

  #tellInterest(): void {
    if (this.#onInterest === undefined) return
    const tenants = [...new Set([...this.#subscribers].map(({ filter }) => filter.tenant))].sort()
    if (tenants.join('\n') === this.#interest.join('\n')) return
    this.#interest = tenants
    this.#onInterest(tenants)
  }

  #sendGap(subscriber: LiveSubscriber, after: string | null | undefined): void {
    this.#send(subscriber, `event: gap\ndata: ${JSON.stringify({ after })}\n\n`)
  }

  #send(subscriber: LiveSubscriber, events: string): void {
    if (subscriber.send(events)) return
    if (this.#remove(subscriber)) subscriber.onDropped()
  }
}

/** Nothing where the subscriber wants none of its points. */
function eventsOf({ batch }: LogEntry, subscriber: LiveSubscriber, idOf: () => string): string {
  if (batch.tenant !== subscriber.filter.tenant) return ''
  const data = dataOf(batch, subscriber)
  return data === '' ? '' : `id: ${idOf()}\nevent: points\ndata: ${data}\n\n`
}

/** The batch's wanted points, or nothing. */
function dataOf(batch: Batch, { filter }: LiveSubscriber): string {
  const heads = headsOf(batch, filter)
  if (heads === undefined) return ''
  let points = ''
  for (let i = 0; i < batch.timestamps.length; i++) {
    const head = heads[batch.seriesIndex[i]]
    if (head === '') continue
    const value = batch.values[i]
    const shown = value === value ? numberJson(value) : JSON.stringify(batch.texts?.[i] ?? null)
    const time = isoFromTime(batch.timestamps[i])
    points += `${points === '' ? '' : ','}${head}"timestamp":"${time}","value":${shown}}`
  }
  return points === '' ? '' : `{"points":[${points}]}`
}

function numberJson(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

/** Per series the beginning of its points' JSON, empty where it is not wanted. */
function headsOf(batch: Batch, filter: LiveFilter): string[] | undefined {
  let wanted = false
  const heads = Array.from<string>({ length: batch.seriesDevice.length })
  for (let s = 0; s < heads.length; s++) {
    const device = batch.devices[batch.seriesDevice[s]]
    const metric = batch.metrics[batch.seriesMetric[s]]
    if (filter.wants(device, metric)) {
      wanted = true
      heads[s] = `{"device_id":${JSON.stringify(device)},"metric":${JSON.stringify(metric)},`
    } else heads[s] = ''
  }
  return wanted ? heads : undefined
}
