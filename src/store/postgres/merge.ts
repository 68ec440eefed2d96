import { pointCount } from '../../model/batch.ts'
import type { StoreEntry } from '../../ports/store.ts'
import type { Columns } from './binary.ts'
import type { SeriesIndex } from './series-index.ts'

/** Points of one tenant in a merge. */
export interface TenantTally {
  /** As they came. */
  points: number
  /** Of those, the ones that are the first of their key for sure. */
  fresh: number
}

/**
 * Entries made ready for the tables, as columns: by series in the order of their ids, rising in time, each key once
 * with its last value. One order everywhere, so that two processes that write the same keys wait for each other and do
 * not block.
 */
export interface Merge {
  /** After everything that this process knows of the series: they should repeat no key. */
  readonly fresh: Columns
  /** Not newer than what the series has: new, or repeated. */
  readonly late: Columns
  /** The newest of each series that may be the newest of all. */
  readonly latest: Columns
  readonly tenants: ReadonlyMap<string, TenantTally>
  readonly slots: Uint32Array
  /** One time of each partition that the points are in. */
  readonly spans: readonly number[]
}

export interface MergeOptions {
  readonly index: Pick<SeriesIndex, 'ids' | 'newest' | 'counts' | 'tenantOf'>
  /** Of each entry, the slots of its series. */
  readonly slots: readonly Uint32Array[]
  readonly spanUs: number
  /** Whatever is known of the newest points. */
  readonly takenFor?: 'fresh' | 'late' | undefined
}

/** Why an entry can never be stored; undefined when it can. */
export function entryProblem({ batch }: StoreEntry): string | undefined {
  const { tenant, devices, metrics, timestamps, values, texts } = batch
  for (const name of [tenant, ...devices, ...metrics]) {
    if (name.length > MAX_NAME_LENGTH) return `a name of ${name.length} characters is too long`
  }
  for (let p = 0; p < timestamps.length; p++) {
    const time = timestamps[p]
    if (!(time >= 0 && Number.isSafeInteger(time))) return `point ${p}: ${time} is no time`
    if (!Number.isFinite(values[p]) && texts?.[p] === undefined) {
      return `point ${p}: ${values[p]} is no finite value`
    }
  }
  return undefined
}

/** No door lets longer ones in; what is too long for a row of an index, the server refuses. */
const MAX_NAME_LENGTH = 800

/** Points of all entries by series: `starts[g] .. starts[g + 1]` are those of `groups[g]`, as they came. */
interface Gathered {
  readonly groups: Uint32Array
  readonly starts: Uint32Array
  readonly timestamps: Float64Array
  readonly values: Float64Array
  readonly texts: (string | undefined)[] | undefined
}

export function mergeEntries(entries: readonly StoreEntry[], options: MergeOptions): Merge {
  const { index, takenFor } = options
  const gathered = gather(entries, options)
  const { groups, starts } = gathered
  const columns = {
    fresh: new ColumnWriter(gathered.timestamps.length, gathered),
    late: new ColumnWriter(gathered.timestamps.length, gathered),
    latest: new ColumnWriter(groups.length, gathered),
  }
  const tenants = new Map<string, TenantTally>()
  for (let g = 0; g < groups.length; g++) {
    const slot = groups[g]
    const id = index.ids[slot]
    const written = starts[g + 1] - starts[g]
    const end = settle(gathered, starts[g], starts[g + 1])
    const newest = index.newest[slot]
    let at = starts[g]
    if (takenFor === 'late') at = end
    else if (takenFor === undefined) while (at < end && gathered.timestamps[at] <= newest) at++
    columns.late.copy(id, starts[g], at)
    columns.fresh.copy(id, at, end)
    const last = gathered.timestamps[end - 1]
    if (last >= newest) columns.latest.copy(id, end - 1, end)
    if (last > newest) index.newest[slot] = last
    tally(tenants, index.tenantOf(slot), { points: written, fresh: end - at })
  }
  return {
    fresh: columns.fresh.finish(),
    late: columns.late.finish(),
    latest: columns.latest.finish(),
    ...{ tenants, slots: groups, spans: spansOf(gathered.timestamps, options.spanUs) },
  }
}

function tally(tenants: Map<string, TenantTally>, tenant: string, more: TenantTally): void {
  let sums = tenants.get(tenant)
  if (sums === undefined) tenants.set(tenant, (sums = { points: 0, fresh: 0 }))
  sums.points += more.points
  sums.fresh += more.fresh
}

/** Counts, then places: two passes over the points, none over names or over series that have none. */
function gather(entries: readonly StoreEntry[], { index, slots }: MergeOptions): Gathered {
  const total = entries.reduce((sum, { batch }) => sum + pointCount(batch), 0)
  const hasTexts = entries.some(({ batch }) => batch.texts !== undefined)
  const timestamps = new Float64Array(total)
  const values = new Float64Array(total)
  const texts = hasTexts ? new Array<string | undefined>(total).fill(undefined) : undefined
  const { counts } = index
  const groups = groupsOf(entries, { index, slots })
  const starts = new Uint32Array(groups.length + 1)
  for (let g = 0; g < groups.length; g++) {
    starts[g + 1] = starts[g] + counts[groups[g]]
    // From here on: where the next point of the series goes.
    counts[groups[g]] = starts[g]
  }
  for (const [e, { batch }] of entries.entries()) {
    const own = slots[e]
    const { seriesIndex } = batch
    for (let p = 0; p < seriesIndex.length; p++) {
      const at = counts[own[seriesIndex[p]]]++
      timestamps[at] = batch.timestamps[p]
      values[at] = batch.values[p]
      if (texts !== undefined) texts[at] = batch.texts?.[p]
    }
  }
  for (const slot of groups) counts[slot] = 0
  return { groups, starts, timestamps, values, texts }
}

/** Counts the points of each slot; those that have some, by rising id. */
function groupsOf(
  entries: readonly StoreEntry[],
  { index, slots }: Pick<MergeOptions, 'index' | 'slots'>,
): Uint32Array {
  const { counts, ids } = index
  const groups: number[] = []
  for (const [e, { batch }] of entries.entries()) {
    const own = slots[e]
    const { seriesIndex } = batch
    for (let p = 0; p < seriesIndex.length; p++) {
      const slot = own[seriesIndex[p]]
      if (counts[slot]++ === 0) groups.push(slot)
    }
  }
  return Uint32Array.from(groups).sort((a, b) => ids[a] - ids[b])
}

/** Puts the points of a series in order, each time once with its last value; returns their end. */
function settle({ timestamps, values, texts }: Gathered, start: number, end: number): number {
  let rises = true
  for (let i = start + 1; i < end && rises; i++) rises = timestamps[i] > timestamps[i - 1]
  if (rises) return end
  const places = Uint32Array.from({ length: end - start }, (_, i) => start + i)
  places.sort((a, b) => timestamps[a] - timestamps[b] || a - b)
  const kept = places.filter((place, i) => timestamps[place] !== timestamps[places[i + 1]])
  timestamps.set(
    Float64Array.from(kept, place => timestamps[place]),
    start,
  )
  values.set(
    Float64Array.from(kept, place => values[place]),
    start,
  )
  if (texts !== undefined) {
    const own = Array.from(kept, place => texts[place])
    own.forEach((text, i) => (texts[start + i] = text))
  }
  return start + kept.length
}

function spansOf(timestamps: Float64Array, spanUs: number): number[] {
  const spans = new Map<number, number>()
  let start = Infinity
  for (let i = 0; i < timestamps.length; i++) {
    const time = timestamps[i]
    if (time >= start && time < start + spanUs) continue
    start = Math.floor(time / spanUs) * spanUs
    spans.set(start, time)
  }
  return [...spans.values()]
}

/** Columns that are filled from the gathered ones, a run of points after the other. */
class ColumnWriter {
  readonly #from: Gathered
  readonly #ids: Float64Array
  readonly #timestamps: Float64Array
  readonly #values: Float64Array
  readonly #texts: (string | undefined)[] | undefined
  #count = 0

  constructor(capacity: number, from: Gathered) {
    this.#from = from
    this.#ids = new Float64Array(capacity)
    this.#timestamps = new Float64Array(capacity)
    this.#values = new Float64Array(capacity)
    this.#texts = from.texts === undefined ? undefined : []
  }

  copy(id: number, start: number, end: number): void {
    const { timestamps, values, texts } = this.#from
    let at = this.#count
    for (let i = start; i < end; i++, at++) {
      this.#ids[at] = id
      this.#timestamps[at] = timestamps[i]
      this.#values[at] = values[i]
      if (texts !== undefined) this.#texts!.push(texts[i])
    }
    this.#count = at
  }

  finish(): Columns {
    const hasTexts = this.#texts?.some(text => text !== undefined) ?? false
    return {
      ids: this.#ids.subarray(0, this.#count),
      timestamps: this.#timestamps.subarray(0, this.#count),
      values: this.#values.subarray(0, this.#count),
      ...(hasTexts ? { texts: this.#texts } : {}),
    }
  }
}
