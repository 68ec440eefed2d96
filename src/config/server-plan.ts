import type { Config } from './schema.ts'

/** Which servers the engines of a configuration need. */
export interface PlannedServer {
  readonly name: 'postgres' | 'redis' | 'kafka' | 'nats'
  /** Where they are, without users and passwords; empty: Weir starts one of its own. */
  readonly addresses: readonly string[]
}

/** In the order of the data's way. */
export function plannedServers(config: Config): PlannedServer[] {
  const { log, store, catalog, cache } = config
  const engines: string[] = [log.engine, store.engine, catalog.engine, cache.engine]
  const planned: PlannedServer[] = []
  const add = (name: PlannedServer['name'], given: readonly string[], users = [name as string]) => {
    if (!users.some(engine => engines.includes(engine))) return
    planned.push({ name, addresses: given.filter(text => text !== '').map(withoutUser) })
  }
  add('kafka', config.kafka.brokers)
  add('nats', config.nats.servers)
  add('postgres', [config.postgres.url])
  add('redis', [config.redis.url], ['redis', 'tiered'])
  return planned
}

function withoutUser(address: string): string {
  if (!URL.canParse(address)) return address
  const { host, pathname, searchParams } = new URL(address)
  // `localhost:4222` is a url too, with a scheme of that name.
  if (host === '' && !searchParams.has('host')) return address
  return `${host === '' ? searchParams.get('host') : host}${pathname === '/' ? '' : pathname}`
}
