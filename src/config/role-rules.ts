import { LOG_CAPABILITIES, sharedEngines } from './engine-capabilities.ts'
import type { Config } from './schema.ts'

type Report = (path: string, message: string, hint: string) => void

/** Whether `weir up` runs worker processes, and a supervisor of them. */
export function hasWorkers({ role, processes }: Config): boolean {
  const { min, max, processors } = processes
  if (role === 'processor') return processors > 1
  return Math.max(min, max) > 1 || (role === 'all' && processors > 0)
}

/** Whether doors and consumers are in processes of their own. */
function isApart({ role, processes }: Config): boolean {
  return role !== 'all' || processes.processors > 0
}

/** Compositions of several processes that cannot work, each with the reason. */
export function roleProblems(config: Config, report: Report): void {
  const { role, processes } = config
  if (processes.min > processes.max) {
    report('processes.min', `is above processes.max (${processes.max})`, 'Raise processes.max.')
  }
  const apart = isApart(config)
  if (!apart && !hasWorkers(config)) return
  const path =
    role !== 'all' ? 'role' : processes.processors > 0 ? 'processes.processors' : 'processes.max'
  const what = apart ? 'roles apart' : 'several processes'
  const log = config.log.engine
  const { keepsEntries } = LOG_CAPABILITIES[log]
  if (apart && !sharedEngines('log').includes(log)) {
    const message = `${what} need a log that they share, and log.engine is ${log}`
    report(path, message, `Use log.engine: ${sharedEngines('log').join(' or ')}, or one process.`)
  } else if (keepsEntries && !sharedEngines('log').includes(log)) {
    const message = `${what} cannot share a log that is in one process (log.engine: ${log})`
    report(
      path,
      message,
      `Use log.engine: ${['none', ...sharedEngines('log')].join(', ')}, or one process.`,
    )
  }
  for (const part of ['store', 'catalog'] as const) {
    const { engine } = config[part]
    if (sharedEngines(part).includes(engine)) continue
    const message = `${what} cannot share a ${part} that is in one process (${part}.engine: ${engine})`
    report(
      path,
      message,
      `Use ${part}.engine: ${sharedEngines(part).join(' or ')}, or one process.`,
    )
  }
  const { engine: cache, queryTtlMs, latestTtlMs } = config.cache
  if ((queryTtlMs > 0 || latestTtlMs > 0) && !sharedEngines('cache').includes(cache)) {
    const message = `${what} do not hear of each other's writes through cache.engine: ${cache}`
    const others = sharedEngines('cache').join(' or ')
    report('cache.engine', message, `Use cache.engine: ${others}, or keep no answers.`)
  }
  if (!apart && !keepsEntries && config.analytics.enabled) {
    report(
      'analytics.enabled',
      'several processes without a log see only some values of a series each',
      'Say analytics.enabled: false, or put a log between.',
    )
  }
}
