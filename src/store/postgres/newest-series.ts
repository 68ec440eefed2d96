import type { NewestRead, SeriesTime } from '../../ports/latest.ts'
import type { ReadContext } from './point-reads.ts'
import { microseconds } from './statements.ts'

/**
 * The series of a tenant with the newest points. The server looks at each series of the tenant, in the
 * table of newest points or, without that, at the end of its index; but only the rows that are wanted
 * come back, and no points are read.
 */
export async function readNewestSeries(
  { pool, keepsLatest }: ReadContext,
  { tenant, device, metric, limit }: NewestRead,
): Promise<SeriesTime[]> {
  if (device?.includes('\0') === true || metric?.includes('\0') === true) return []
  const from = keepsLatest
    ? 'JOIN latest l ON l.series_id = s.id'
    : `CROSS JOIN LATERAL (SELECT p.time FROM points p
        WHERE p.series_id = s.id ORDER BY p.time DESC LIMIT 1) l`
  const { rows } = await pool.query<[string, string, number]>({
    name: 'weir_newest_series',
    text: `SELECT s.device, s.metric, ${microseconds('l.time')} FROM series s ${from}
      WHERE s.tenant = $1 AND ($2::text IS NULL OR s.device = $2)
        AND ($3::text IS NULL OR s.metric = $3)
      ORDER BY l.time DESC, s.device, s.metric LIMIT $4`,
    values: [tenant, device ?? null, metric ?? null, limit],
    rowMode: 'array',
  })
  return rows.map(([id, name, timeUs]) => ({ device: id, metric: name, timeUs }))
}
