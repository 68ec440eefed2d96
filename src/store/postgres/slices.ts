import type { TimeRange } from '../../ports/store.ts'
import type { Partition, Span } from './partitions.ts'

/** A statement locks all partitions that it may look at, and PostgreSQL has room for some thousand locks. */
const PARTITIONS_A_STATEMENT = 64

export interface SliceOptions {
  /** Cuts are at multiples of it. */
  readonly alignUs?: number
  readonly partitions?: number
}

/**
 * Cuts a range so that each part is in a bounded number of partitions. The parts make up the range whatever partitions
 * there are, so it is no harm when others have made some more.
 */
export function slicesOf(
  range: TimeRange,
  known: readonly Span[],
  { alignUs = 1, partitions = PARTITIONS_A_STATEMENT }: SliceOptions = {},
): TimeRange[] {
  const { start, end } = range
  if (!(end > start)) return []
  const inside = known.filter(span => span.end > start && span.start < end)
  const cuts = new Set<number>()
  for (let i = partitions; i < inside.length; i += partitions) {
    const cut = Math.floor(inside[i].start / alignUs) * alignUs
    if (cut > start && cut < end) cuts.add(cut)
  }
  const edges = [start, ...cuts, end]
  return edges.slice(1).map((edge, i) => ({ start: edges[i], end: edge }))
}

/** A part of a range, and whether all partitions that it touches are rolled up. */
export interface RangePart {
  readonly range: TimeRange
  readonly isRolledUp: boolean
}

/** Cuts a range at multiples of `alignUs`, so that what is rolled up is apart from the rest. */
export function partsOf(
  { start, end }: TimeRange,
  known: readonly Partition[],
  alignUs: number,
): RangePart[] {
  const parts: RangePart[] = []
  let at = start
  for (const run of rolledRuns(known)) {
    const from = Math.ceil(Math.max(run.start, start) / alignUs) * alignUs
    const to = Math.floor(Math.min(run.end, end) / alignUs) * alignUs
    if (to <= from) continue
    if (from > at) parts.push({ range: { start: at, end: from }, isRolledUp: false })
    parts.push({ range: { start: from, end: to }, isRolledUp: true })
    at = to
  }
  if (end > at) parts.push({ range: { start: at, end }, isRolledUp: false })
  return parts
}

/** Partitions that are rolled up and follow each other. Between others somebody may have made one meanwhile. */
function rolledRuns(known: readonly Partition[]): Span[] {
  const runs: { start: number; end: number }[] = []
  for (const { start, end, isRolledUp } of known) {
    if (!isRolledUp) continue
    const last = runs.at(-1)
    if (last?.end === start) last.end = end
    else runs.push({ start, end })
  }
  return runs
}
