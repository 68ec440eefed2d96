import type { TimeRange } from '../../ports/store.ts'
import type { Span } from './partitions.ts'

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
