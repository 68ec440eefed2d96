import type { PostgresOptions } from '../../postgres/postgres-pool.ts'
import type { MetricUnit, UnitStore } from '../../ports/units.ts'
import { CatalogDatabase, columnsOf } from './catalog-database.ts'

const VERSIONS_A_READ = 5000

const SINCE = `SELECT tenant, device, metric, unit FROM metric_unit
  WHERE version > $1 AND version <= $2`
const SAVE = `INSERT INTO metric_unit (tenant, device, metric, unit, version)
  SELECT tenant, device, metric, unit, $5 + place - 1
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    WITH ORDINALITY AS told (tenant, device, metric, unit, place)
  ON CONFLICT (tenant, device, metric) DO UPDATE
    SET unit = excluded.unit, version = excluded.version`

/** @throws WeirError as `openPostgresCatalog`. */
export async function openPostgresUnits(options: PostgresOptions): Promise<UnitStore> {
  const database = await CatalogDatabase.open(options, 1)
  return {
    isShared: true,
    async since(version) {
      const newest = await database.version('units')
      if (newest <= version) return { version, units: [] }
      const until = Math.min(newest, version + VERSIONS_A_READ)
      const units = await database.rows(SINCE, version, until)
      return { version: until, units: units as unknown as MetricUnit[] }
    },
    save: units =>
      database.writeAll(lastOfEach(units), some =>
        database.change({ stream: 'units', count: some.length }, (transaction, first) => {
          const columns = columnsOf(some, row => [row.tenant, row.device, row.metric, row.unit])
          return transaction.run(SAVE, ...columns, first)
        }),
      ),
    close: () => database.close(),
  }
}

/** One statement cannot write a row twice. */
function lastOfEach(units: readonly MetricUnit[]): MetricUnit[] {
  const last = new Map<string, MetricUnit>()
  for (const unit of units) last.set(`${unit.tenant}\0${unit.device}\0${unit.metric}`, unit)
  return [...last.values()]
}
