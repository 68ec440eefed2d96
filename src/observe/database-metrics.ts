import { Counter, Gauge, type Registry } from 'prom-client'
import type { DatabaseFigures } from '../ports/store.ts'

/** The metrics of the store's database, read at each scrape; what one that is away cannot say is left out. */
export function databaseMetrics(registry: Registry, read: () => Promise<DatabaseFigures>): void {
  let asked: Promise<DatabaseFigures | undefined> | undefined
  // Once a scrape, for all of them.
  const ask = (): Promise<DatabaseFigures | undefined> =>
    (asked ??= read()
      .catch(() => undefined)
      .finally(() => (asked = undefined)))
  new Gauge({
    name: 'weir_database_connections',
    help: 'Connections of the pool by state, and who waits for one',
    ...{ labelNames: ['state'], registers: [registry] },
    async collect() {
      this.reset()
      for (const [state, count] of Object.entries((await ask())?.connections ?? {})) {
        this.set({ state: state === 'inUse' ? 'in_use' : state }, count)
      }
    },
  })
  const statement = (
    name: string,
    help: string,
    value: (figures: DatabaseFigures['statements'][number]) => number,
  ): void => {
    new Counter({
      ...{ name, help, labelNames: ['statement'], registers: [registry] },
      async collect() {
        this.reset()
        for (const one of (await ask())?.statements ?? []) {
          this.inc({ statement: one.statement }, value(one))
        }
      },
    })
  }
  const slowest = 'of the slowest statements, by the database'
  statement('weir_database_statement_calls_total', `Calls ${slowest}`, ({ calls }) => calls)
  statement('weir_database_statement_seconds_total', `Time ${slowest}`, ({ totalMs }) => {
    return totalMs / 1000
  })
}
