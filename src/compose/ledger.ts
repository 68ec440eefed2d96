import type { Config } from '../config/schema.ts'
import { Ledger } from '../ingest/ledger.ts'
import type { Logger } from '../observe/logger.ts'
import type { Clock } from '../ports/clock.ts'
import type { LedgerBook, LedgerCounts } from '../ports/ledger-book.ts'
import type { Log, LogPosition } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { reportLedger, tenantPoints, type LedgerReport } from '../process/ledger-report.ts'
import { SharedLedger } from '../process/shared-ledger.ts'
import type { WriterFigures } from './consumers.ts'

/** The doors' counts, and the ledger that is made of them and of everybody else's. */
export interface NodeLedger {
  readonly counts: Ledger
  /** When the writer has caught up, before the doors open. */
  start(writer: WriterFigures, tail?: LogEnds): Promise<void>
  /** Of all tenants, or of one. */
  report(tenant?: string): Promise<LedgerReport>
  /** When nothing comes any more. */
  close(): Promise<void>
}

/** How far this process has seen a log that it shares. */
interface LogEnds {
  readonly ends: ReadonlyMap<number, number>
}

/** Of a shared log the end is asked for about every second. */
const LOG_AGE_MS = 3000

interface LedgerParts {
  readonly log: Log
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly openBook: () => Promise<LedgerBook>
}

export async function openLedger(config: Config, parts: LedgerParts): Promise<NodeLedger> {
  const { log, store } = parts
  if (store.capabilities.isShared) return openSharedLedger(config, parts)
  const counts = new Ledger(log.status().pointsAppended)
  const operatorTenant = config.ingest.tenant
  let writer: WriterFigures | undefined
  return {
    counts,
    start(started) {
      writer = started
      return startTenants(config, { counts, store, writer })
    },
    report: tenant =>
      reportLedger({
        doors: () => counts.counts(tenant),
        writer: () => writer!.counts(tenant),
        storeStats: async () => {
          const stats = await store.stats()
          return tenant === undefined ? stats : tenantPoints(stats, { tenant, operatorTenant })
        },
      }),
    close: async () => {},
  }
}

/** What each tenant had before this process: only the store and the writer know it. */
async function startTenants(
  config: Config,
  { counts, store, writer }: { counts: Ledger; store: Store; writer: WriterFigures },
): Promise<void> {
  const stats = await store.stats()
  const operatorTenant = config.ingest.tenant
  for (const tenant of new Set([operatorTenant, ...stats.tenants.keys()])) {
    const { stored, duplicate, unsettled } = tenantPoints(stats, { tenant, operatorTenant })
    const { pendingPoints, deadLettered } = writer.counts(tenant)
    counts.startTenant(tenant, stored + duplicate + unsettled + pendingPoints + deadLettered)
  }
}

async function openSharedLedger(config: Config, parts: LedgerParts): Promise<NodeLedger> {
  const { log, store, clock, logger, openBook } = parts
  const counts = new Ledger(0, { endsAtAck: !log.capabilities.deliversBeforeAck })
  const book = await openBook()
  let writer: WriterFigures | undefined
  let tail: LogEnds | undefined
  const shared = new SharedLedger({
    ...{ book, clock, operatorTenant: config.ingest.tenant },
    own: () => ownCounts(counts, writer!),
    storeStats: () => store.stats(),
    isDrained: () => isDrained(log, store),
    backlog: () => backlog(store, tail),
    ...(log.capabilities.isShared ? { logAgeMs: LOG_AGE_MS } : {}),
    onError: error => logger.warn({ err: error }, 'the ledger was not written; it is tried again'),
  })
  return {
    counts,
    start(started, follower) {
      writer = started
      tail = follower
      return shared.start()
    },
    report: tenant => shared.report(tenant),
    async close() {
      if (writer !== undefined) await shared.close()
      await book.close()
    },
  }
}

function ownCounts(counts: Ledger, writer: WriterFigures): Map<string, LedgerCounts> {
  const own = new Map<string, LedgerCounts>()
  for (const tenant of new Set([...counts.tenants(), ...writer.buried()])) {
    const { received, pending, rejected } = counts.counts(tenant)
    const { deadLettered } = writer.counts(tenant)
    own.set(tenant, { received, pending, deadLettered, rejected: Object.fromEntries(rejected) })
  }
  return own
}

/** Entries that this process has seen in the log it shares and that the store does not have. */
async function backlog(store: Store, tail: LogEnds | undefined): Promise<number> {
  if (tail === undefined) return 0
  const stored = new Map<number, LogPosition['offset']>()
  for (const { partition, offset } of await store.positions()) stored.set(partition, offset)
  let entries = 0
  for (const [partition, end] of tail.ends) {
    entries += Math.max(0, end - (stored.get(partition) ?? 0))
  }
  return entries
}

/** Whether the store has what is in the log at the call; without a log there is nothing else. */
async function isDrained(log: Log, store: Store): Promise<boolean> {
  if (!log.capabilities.keepsEntries) return true
  const ends = log.status().partitions
  const stored = new Map<number, LogPosition['offset']>()
  for (const { partition, offset } of await store.positions()) stored.set(partition, offset)
  return ends.every(({ partition, first, next }) => (stored.get(partition) ?? first) >= next)
}
