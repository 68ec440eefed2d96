import type { RejectReason } from '../model/rejection.ts'
import type { StoreStats, TenantPoints } from '../ports/store.ts'
import type { Balance } from './ledger-sum.ts'

/** `GET /api/v1/ledger`, in points: received = stored + duplicate + rejected + dead_lettered + in_flight. */
export interface LedgerReport {
  readonly received: number
  /** Of these: known from the store alone, because who counted them was killed, or tells it later. */
  readonly uncounted: number
  readonly stored: number
  readonly duplicate: number
  readonly rejected: number
  readonly rejected_by_reason: Readonly<Partial<Record<RejectReason, number>>>
  readonly dead_lettered: number
  /** Blocks of stored points that cannot be read any more; they are set aside, not deleted. */
  readonly damaged_blocks: number
  readonly in_flight: number
  /** Where the points in flight are. */
  readonly in_flight_at: {
    /** Admitted, waiting for the log; not acknowledged yet. */
    readonly log: number
    /** Durable in the log, not yet taken by the store. */
    readonly writer: number
    /** In the store and queryable; whether they repeat a stored key shows when they are merged. */
    readonly unsettled: number
  }
  /** received minus everything else: not 0 means that points were lost or counted twice. */
  readonly imbalance: number
}

export interface LedgerSources {
  readonly doors: () => {
    readonly received: number
    readonly rejected: ReadonlyMap<RejectReason, number>
    readonly pending: number
  }
  readonly writer: () => { readonly pendingPoints: number; readonly deadLettered: number }
  readonly storeStats: () => Promise<
    TenantPoints & Partial<Pick<StoreStats, 'deadLettered' | 'damagedBlocks'>>
  >
}

/**
 * Each number is counted by another part, so that they only add up when no point got lost between
 * them. The store answers in the order of its writes, so all are of the moment its answer arrives.
 */
export async function reportLedger(sources: LedgerSources): Promise<LedgerReport> {
  const store = await sources.storeStats()
  const doors = sources.doors()
  const writer = sources.writer()
  const deadLettered = store.deadLettered ?? writer.deadLettered
  let rejected = 0
  for (const points of doors.rejected.values()) rejected += points
  const at = {
    log: doors.pending,
    writer: writer.pendingPoints,
    unsettled: store.unsettled,
  }
  const inFlight = at.log + at.writer + at.unsettled
  return {
    received: doors.received,
    uncounted: 0,
    stored: store.stored,
    duplicate: store.duplicate,
    rejected,
    rejected_by_reason: Object.fromEntries(doors.rejected),
    dead_lettered: deadLettered,
    damaged_blocks: store.damagedBlocks ?? 0,
    in_flight: inFlight,
    in_flight_at: at,
    imbalance: doors.received - store.stored - store.duplicate - rejected - deadLettered - inFlight,
  }
}

export interface SharedSources {
  readonly points: TenantPoints
  readonly balanced: Balance
  /** Admitted by the doors of all processes, not acknowledged yet. */
  readonly atDoors: number
  readonly damagedBlocks: number
}

/** The same where several processes write to one store (`SharedLedger`). */
export function sharedReport(sources: SharedSources): LedgerReport {
  const { points, balanced, atDoors, damagedBlocks } = sources
  const { received, uncounted, deadLettered, inFlight, imbalance } = balanced
  const log = Math.min(atDoors, inFlight)
  let rejected = 0
  for (const count of balanced.rejected.values()) rejected += count
  return {
    ...{ received, uncounted, rejected, imbalance },
    stored: points.stored,
    duplicate: points.duplicate,
    rejected_by_reason: Object.fromEntries(balanced.rejected),
    dead_lettered: deadLettered,
    damaged_blocks: damagedBlocks,
    in_flight: inFlight + points.unsettled,
    in_flight_at: { log, writer: inFlight - log, unsettled: points.unsettled },
  }
}

/**
 * What the store has of one tenant. Points that it stored before it counted by tenant are those of
 * the only tenant that there was then, the node's own.
 */
export function tenantPoints(
  { stored, duplicate, unsettled, tenants }: StoreStats,
  { tenant, operatorTenant }: { readonly tenant: string; readonly operatorTenant: string },
): TenantPoints {
  if (tenant !== operatorTenant) {
    return tenants.get(tenant) ?? { stored: 0, duplicate: 0, unsettled: 0 }
  }
  const rest = { stored, duplicate, unsettled }
  for (const [name, points] of tenants) {
    if (name === operatorTenant) continue
    rest.stored -= points.stored
    rest.duplicate -= points.duplicate
    rest.unsettled -= points.unsettled
  }
  return rest
}
