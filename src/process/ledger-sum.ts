import type { RejectReason } from '../model/rejection.ts'
import type { LedgerCounts, LedgerPage } from '../ports/ledger-book.ts'

/** Counts that can be added up. */
export interface LedgerSum {
  received: number
  pending: number
  deadLettered: number
  readonly rejected: Map<RejectReason, number>
}

export function emptySum(): LedgerSum {
  return { received: 0, pending: 0, deadLettered: 0, rejected: new Map() }
}

export function addCounts(sum: LedgerSum, counts: LedgerCounts): LedgerSum {
  sum.received += counts.received
  sum.pending += counts.pending
  sum.deadLettered += counts.deadLettered
  for (const [reason, points] of Object.entries(counts.rejected) as [RejectReason, number][]) {
    sum.rejected.set(reason, (sum.rejected.get(reason) ?? 0) + points)
  }
  return sum
}

/**
 * What is left of a process that was killed: points whose request was never answered are none that
 * it has received. Those of them that are stored all the same are found by the store's own count.
 */
export function withoutPending(counts: LedgerCounts): LedgerCounts {
  return { ...counts, received: counts.received - counts.pending, pending: 0 }
}

export function countsOf(sum: LedgerSum): LedgerCounts {
  const { received, pending, deadLettered, rejected } = sum
  return { received, pending, deadLettered, rejected: Object.fromEntries(rejected) }
}

/** `counts` less what `base` has of them. */
export function countsSince(counts: LedgerCounts, base: LedgerCounts): LedgerCounts {
  const rejected: Partial<Record<RejectReason, number>> = {}
  for (const [reason, points] of Object.entries(counts.rejected) as [RejectReason, number][]) {
    rejected[reason] = points - (base.rejected[reason] ?? 0)
  }
  return {
    received: counts.received - base.received,
    pending: counts.pending,
    deadLettered: counts.deadLettered - base.deadLettered,
    rejected,
  }
}

/** The pages as one, of processes that have ended. */
export function foldedPages(process: string, pages: readonly LedgerPage[]): LedgerPage {
  const tenants = new Map<string, LedgerSum>()
  for (const page of pages) {
    for (const [tenant, counts] of page.tenants) {
      let sum = tenants.get(tenant)
      if (sum === undefined) tenants.set(tenant, (sum = emptySum()))
      addCounts(sum, page.state === 'open' ? withoutPending(counts) : counts)
    }
  }
  return {
    process,
    state: pages.every(({ state }) => state === 'closed') ? 'closed' : 'torn',
    tenants: new Map([...tenants].map(([tenant, sum]) => [tenant, countsOf(sum)])),
  }
}

/** What the counts of the doors and of the store are to each other. */
export interface Balance {
  /** Points, of which `uncounted` are known from the store alone. */
  readonly received: number
  readonly uncounted: number
  readonly rejected: ReadonlyMap<RejectReason, number>
  readonly deadLettered: number
  readonly inFlight: number
  readonly imbalance: number
}

export interface Sides {
  /** Of all processes, read before the store's count was made: what it must have. */
  readonly before: LedgerSum
  /** Of all processes, read after it: what it can have. */
  readonly after: LedgerSum
  /** stored + duplicate + unsettled + dead letters, by the store. */
  readonly accounted: number
  readonly deadLettered: number
  /** Everything that had been acknowledged before is in the store's count; else some may be in the log. */
  readonly isDrained: boolean
  /** Entries of the log that the store's count cannot have: each has a point or more. Absent: none. */
  readonly backlog?: number
  /** Some process may have counted points of which it has not told, or cannot tell any more. */
  readonly mayMiss: boolean
}

/**
 * The doors and the store count by themselves and at different moments, in different processes. So
 * what lies between them is in flight only as far as it can be: points that were acknowledged
 * before the store's count was made, and of which the log has none any more, must be in it.
 * The other way round the store may have more than the doors know: points whose request was refused
 * because the outcome was not known (`unavailable`), and those of processes that did not live to
 * tell. What is left is the imbalance.
 *
 * What is in the log and not in the store is in flight in any case, also where the numbers meet without
 * it: then whoever has taken it has not told yet, or was killed, or another one's surplus hides it.
 */
export function balance(sides: Sides): Balance {
  const { before, after, accounted, deadLettered, isDrained, mayMiss } = sides
  const rejected = new Map(after.rejected)
  const gap = after.received - total(after.rejected) - accounted
  const refused = rejected.get('unavailable') ?? 0
  const { backlog: entries = 0 } = sides
  // Where all have told all, an entry more than that is a part of an append that was refused.
  const backlog = mayMiss ? entries : Math.max(0, Math.min(entries, gap + refused))
  if (gap >= backlog) {
    const acknowledged = before.received - total(before.rejected) - before.pending
    const most = after.received - total(after.rejected) - acknowledged
    const inFlight = isDrained ? Math.max(backlog, Math.min(gap, Math.max(0, most))) : gap
    const { received } = after
    return { received, uncounted: 0, rejected, deadLettered, inFlight, imbalance: gap - inFlight }
  }
  const surplus = backlog - gap
  const storedYet = Math.min(surplus, refused)
  if (storedYet > 0) rejected.set('unavailable', refused - storedYet)
  const beyond = surplus - storedYet
  const uncounted = mayMiss ? beyond : 0
  return {
    ...{ uncounted, rejected, deadLettered, inFlight: backlog },
    received: after.received + uncounted,
    imbalance: uncounted - beyond === 0 ? 0 : uncounted - beyond,
  }
}

function total(rejected: ReadonlyMap<RejectReason, number>): number {
  let sum = 0
  for (const points of rejected.values()) sum += points
  return sum
}
