import type { LogPosition } from '../../ports/log.ts'

/** Up to where a log partition is covered: all entries before `offset`, and `point` points of it. */
export interface Cover {
  readonly offset: number
  readonly point: number
}

/** Per partition of the log. Immutable: a change makes a new map, so that a generation keeps its own. */
export type Covers = ReadonlyMap<number, Cover>

/** How covers are written in JSON: [log partition, offset, point]. */
export type CoverRow = readonly [number, number, number]

export function coverRows(covers: Covers): CoverRow[] {
  return [...covers].map(([partition, { offset, point }]) => [partition, offset, point])
}

export function coversOf(rows: readonly CoverRow[]): Covers {
  return new Map(rows.map(([partition, offset, point]) => [partition, { offset, point }]))
}

export function logPositions(covers: Covers): LogPosition[] {
  return [...covers].map(([partition, { offset }]) => ({ partition, offset }))
}

/** How many leading points of the entry at `position` are covered; Infinity when all are. */
export function coveredPoints(covers: Covers, position: LogPosition): number {
  const cover = covers.get(position.partition)
  if (cover === undefined || cover.offset < position.offset) return 0
  return cover.offset > position.offset ? Infinity : cover.point
}

/** Whether `covers` reaches nowhere further than `other`. */
export function isWithin(covers: Covers, other: Covers): boolean {
  for (const [partition, { offset, point }] of covers) {
    const reached = other.get(partition)
    if (reached === undefined || reached.offset < offset) return false
    if (reached.offset === offset && reached.point < point) return false
  }
  return true
}

/** Per log partition, the one of the two covers that reaches further. */
export function furthest(covers: Covers, other: Covers): Covers {
  const result = new Map(covers)
  for (const [partition, cover] of other) {
    const known = result.get(partition)
    const isFurther =
      known === undefined ||
      cover.offset > known.offset ||
      (cover.offset === known.offset && cover.point > known.point)
    if (isFurther) result.set(partition, cover)
  }
  return result
}
