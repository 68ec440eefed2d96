import type { MetricUnit, UnitStore } from '../../ports/units.ts'
import { Connection } from './connection.ts'
import { takeVersions, versionOf } from './feed.ts'

const SINCE = `SELECT tenant, device, metric, unit FROM metric_unit WHERE version > ?`
const SAVE = `INSERT OR REPLACE INTO metric_unit (tenant, device, metric, unit, version)
  VALUES (?, ?, ?, ?, ?)`

/**
 * @param path The catalog's file.
 * @throws WeirError as `openSqliteCatalog`.
 */
export async function openSqliteUnits({ path }: { readonly path: string }): Promise<UnitStore> {
  const connection = await Connection.open(path, 'units')
  return {
    isShared: false,
    async since(version) {
      const newest = versionOf(connection, 'units')
      if (newest === version) return { version, units: [] }
      const units = connection.all(SINCE, version).map(({ tenant, device, metric, unit }) => {
        return { tenant, device, metric, unit } as unknown as MetricUnit
      })
      return { version: newest, units }
    },
    save: units =>
      connection.transactAll(units, { isDurable: false }, some => {
        let next = takeVersions(connection, 'units', some.length)
        for (const { tenant, device, metric, unit } of some) {
          connection.run(SAVE, tenant, device, metric, unit, next++)
        }
      }),
    close: () => connection.close(),
  }
}
