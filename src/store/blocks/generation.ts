import type { Covers } from './covers.ts'
import type { Partition } from './partition-set.ts'
import type { TenantCounts } from './tenant-counts.ts'
import { noTenants } from './tenant-counts.ts'

/** Points of one tenant that came and are not in the file yet. */
export interface Fresh {
  /** Counted as stored when they came, because they were newer than all of their series. */
  fresh: number
  unsettled: number
}

/** The points of one generation that fall into one partition, in numbers. */
export interface Share {
  readonly partition: Partition
  readonly byTenant: Map<string, Fresh>
  /** Series with points here, rising; filled in when the generation is flushed. */
  series: number[]
  /** How far the flush is: series below this id are committed. */
  doneBelow: number
  /** What the flush has found for those series. */
  stored: number
  duplicate: number
  tenants: TenantCounts
  /** Blocks that it has set aside. */
  damaged: number
  done: boolean
}

/** What the head took between two freezes. Columns are by series id and reused. */
export class Generation {
  /** The place in the slab for the next point; 0 where the series has none. */
  tailAt = new Int32Array(0)
  /** 1 where a point came that was not newer than all of its series. */
  late = new Uint8Array(0)
  /** Series with points, in order of first sight. */
  touched: number[] = []
  readonly texts = new Map<number, string>()
  readonly shares = new Map<Partition, Share>()
  textBytes = 0
  chunks = 0
  points = 0
  /** When its first point came; undefined while it is empty. */
  oldestMs: number | undefined = undefined
  /** What the log need not deliver again once this generation is flushed; set by the freeze. */
  covers: Covers = new Map()
  /** Points of entries before there that could not be stored, since the store was made. */
  deadLettered = 0

  ensure(count: number): void {
    const size = this.tailAt.length
    if (count <= size) return
    const capacity = Math.max(1024, count, 2 * size)
    const tailAt = new Int32Array(capacity)
    tailAt.set(this.tailAt)
    this.tailAt = tailAt
    const late = new Uint8Array(capacity)
    late.set(this.late)
    this.late = late
  }

  share(partition: Partition): Share {
    let share = this.shares.get(partition)
    if (share === undefined) {
      share = {
        ...{ partition, byTenant: new Map(), series: [], doneBelow: 0 },
        ...{ stored: 0, duplicate: 0, damaged: 0, tenants: noTenants, done: false },
      }
      this.shares.set(partition, share)
    }
    return share
  }

  fresh(partition: Partition, tenant: string): Fresh {
    const { byTenant } = this.share(partition)
    let counts = byTenant.get(tenant)
    if (counts === undefined) byTenant.set(tenant, (counts = { fresh: 0, unsettled: 0 }))
    return counts
  }

  /** Forgets everything; the caller has taken the chunks back. */
  clear(): void {
    for (const series of this.touched) {
      this.tailAt[series] = 0
      this.late[series] = 0
    }
    this.touched = []
    this.texts.clear()
    this.shares.clear()
    this.textBytes = 0
    this.chunks = 0
    this.points = 0
    this.oldestMs = undefined
    this.covers = new Map()
  }
}
