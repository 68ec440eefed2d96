import { randomInt } from 'node:crypto'
import type { Config } from '../config/schema.ts'
import { plainEventIds, sealedEventIds } from '../live/event-id.ts'
import { LiveHub, type LiveSeries } from '../live/live-hub.ts'
import { Dictionaries } from '../model/dictionary.ts'
import { decodeFrame } from '../model/frame.ts'
import { isoFromTime } from '../model/time.ts'
import type { Log, LogEntry, LogPosition } from '../ports/log.ts'
import type { Registry } from '../registry/registry.ts'
import type { Link } from '../workers/link.ts'
import type { LiveEvent } from '../workers/messages.ts'
import { nodeSecret } from './node-secret.ts'

/** The live stream of this process, with what its siblings have to add. */
export interface LiveFeed {
  readonly live: LiveHub
  /** Every durable batch of this process, or of the log that all share. */
  readonly publish: (entry: LogEntry) => void
  readonly announceOf: Announce
}

export type Announce = (event: string, series: LiveSeries, data: object) => void

interface LiveParts {
  readonly log: Log
  readonly registry: Registry
  /** Where the entries that are published begin. */
  readonly from: readonly LogPosition[]
  readonly link: Link | undefined
}

/**
 * A log that keeps its entries gives events their ids, which so mean the same in every process and
 * after a restart. Without one each process counts for itself, under a number of its own: an id of
 * another process, or of an earlier run, is answered with a gap.
 */
export function openLive(config: Config, { log, registry, from, link }: LiveParts): LiveFeed {
  const { keepsEntries } = log.capabilities
  const own: { partition: number; offset: number } = { partition: randomInt(1, 1e9), offset: 0 }
  // With keys there are tenants, who are not to count each other's batches.
  const ids = config.auth.mode === 'keys' ? sealedEventIds(nodeSecret(config.data)) : plainEventIds
  const live = new LiveHub({
    ...config.live,
    begins: keepsEntries ? begins(log, from) : [{ ...own }],
    ids,
    ...(link === undefined ? {} : { onInterest: tenants => link.interest(tenants) }),
  })
  const show = ({ batch, frame }: Pick<LogEntry, 'batch' | 'frame'>): void => {
    live.publish({ batch, frame, position: { ...own } })
    own.offset++
  }
  if (link !== undefined) followSiblings(live, link, show)
  const tell = announcer(link)
  registry.onStatusChange(({ tenant, id, from: before, to, atMs }) => {
    const timestamp = new Date(atMs).toISOString()
    live.announce('status', tenant, { device_id: id, from: before, status: to, timestamp })
  })
  registry.onViolations(({ tenant, device, timeUs, ...news }) => {
    const data = { device_id: device, ...news, timestamp: isoFromTime(timeUs) }
    live.announce('violation', tenant, data)
    tell(tenant, { event: 'violation', device, metric: undefined, data })
  })
  return {
    live,
    publish: keepsEntries ? entry => live.publish(entry) : sharing(link, show),
    announceOf(event, series, data) {
      live.announceOf(event, series, data)
      tell(series.tenant, { event, device: series.device, metric: series.metric, data })
    },
  }
}

/** For a process without live streams: what it announces is for its siblings. */
export function announceToSiblings(link: Link | undefined): Announce {
  const tell = announcer(link)
  return (event, { tenant, device, metric }, data) => tell(tenant, { event, device, metric, data })
}

function announcer(link: Link | undefined) {
  return (tenant: string, event: LiveEvent): void => {
    if (link?.wants(tenant) !== true) return
    link.tell({ type: 'live', tenant, frames: [], events: [event], gap: false })
  }
}

function sharing(link: Link | undefined, show: (entry: LogEntry) => void) {
  if (link === undefined) return show
  return (entry: LogEntry): void => {
    show(entry)
    const { tenant } = entry.batch
    if (!link.wants(tenant)) return
    link.tell({ type: 'live', tenant, frames: [entry.frame], events: [], gap: false })
  }
}

function followSiblings(
  live: LiveHub,
  link: Link,
  show: (entry: Pick<LogEntry, 'batch' | 'frame'>) => void,
): void {
  const dictionaries = new Dictionaries()
  link.onNews(({ tenant, frames, events, gap }) => {
    if (gap) live.gap(tenant)
    for (const frame of frames) {
      const batch = decodeFrame(frame, dictionaries)
      show({ batch: { ...batch, tenant }, frame })
    }
    for (const { event, device, metric, data } of events) {
      if (metric === undefined) live.announce(event, tenant, { device_id: device, ...data })
      else live.announceOf(event, { tenant, device, metric }, data)
    }
  })
}

/** Where the first entries come from: what the store has is not published again. */
function begins(log: Log, from: readonly LogPosition[]): LogPosition[] {
  const stored = new Map(from.map(row => [row.partition, row.offset]))
  return log.status().partitions.map(({ partition, first }) => {
    return { partition, offset: stored.get(partition) ?? first }
  })
}
