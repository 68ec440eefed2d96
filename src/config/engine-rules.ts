import { LOG_CAPABILITIES, STORE_CAPABILITIES } from './engine-capabilities.ts'
import type { Config } from './schema.ts'

type Report = (path: string, message: string, hint: string) => void

/** Engines that cannot be put together, each with the reason. */
export function engineProblems({ log, store }: Config, report: Report): void {
  const keepsEntries = LOG_CAPABILITIES[log.engine].keepsEntries
  if (!keepsEntries && !STORE_CAPABILITIES[store.engine].commitsOnWrite) {
    const [logs, stores] = [LOG_CAPABILITIES, STORE_CAPABILITIES].map(all => Object.keys(all))
    report(
      'log.engine',
      `${log.engine} leaves points in memory only: store.engine ${store.engine} makes them durable later`,
      `Use log.engine: ${logs.filter(name => LOG_CAPABILITIES[name].keepsEntries).join(', ')}; or ` +
        `store.engine: ${stores.filter(name => STORE_CAPABILITIES[name].commitsOnWrite).join(', ')}.`,
    )
  }
}
