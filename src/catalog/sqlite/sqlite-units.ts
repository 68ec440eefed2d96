import type { MetricUnit, UnitStore } from '../../ports/units.ts'
import { Connection } from './connection.ts'

const ALL = `SELECT tenant, device, metric, unit FROM metric_unit`
const SAVE = `INSERT OR REPLACE INTO metric_unit (tenant, device, metric, unit) VALUES (?, ?, ?, ?)`

/**
 * @param path The catalog's file.
 * @throws WeirError as `openSqliteCatalog`.
 */
export async function openSqliteUnits({ path }: { readonly path: string }): Promise<UnitStore> {
  const connection = await Connection.open(path, 'units')
  return {
    all: async () =>
      connection.all(ALL).map(({ tenant, device, metric, unit }) => {
        return { tenant, device, metric, unit } as unknown as MetricUnit
      }),
    save: units =>
      connection.save(
        SAVE,
        units.map(({ tenant, device, metric, unit }) => [tenant, device, metric, unit]),
      ),
    close: () => connection.close(),
  }
}
