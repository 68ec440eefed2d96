import type { SeriesTable } from '../model/series-table.ts'
import type { IngestLimits } from './limits.ts'

/** The tenant is about to bring so many series that this process does not know. */
export interface FreshSeries {
  readonly tenant: string
  readonly count: number
}

/** Why there is no room for them, naming the bound; undefined where there is. */
export function seriesRefusal(
  table: SeriesTable,
  { maxSeries, maxTenantSeries = 0 }: Pick<IngestLimits, 'maxSeries' | 'maxTenantSeries'>,
  { tenant, count }: FreshSeries,
): string | undefined {
  if (table.seriesCount + count > maxSeries) {
    return `there would be more than ${maxSeries} series (ingest.maxSeries)`
  }
  if (maxTenantSeries > 0 && table.seriesCountOf(tenant) + count > maxTenantSeries) {
    return `the tenant would have more than ${maxTenantSeries} series (limits.maxTenantSeries)`
  }
  return undefined
}
