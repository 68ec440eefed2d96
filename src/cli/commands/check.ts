import { formatProblems } from '../../config/problem.ts'
import type { LoadedConfig } from '../../config/load.ts'
import { hasWorkers } from '../../config/role-rules.ts'
import type { Config } from '../../config/schema.ts'
import { plannedServers } from '../../config/server-plan.ts'
import { withoutSecrets } from '../../config/secrets.ts'
import { readArguments } from '../arguments.ts'
import type { CommandIo } from '../command.ts'
import { commands } from '../commands.ts'
import { readConfiguration } from '../configuration.ts'
import { exitCode } from '../exit-code.ts'

/** `weir check`: says whether `up` would take this configuration, and what it would run. */
export function check(args: readonly string[], io: CommandIo): number {
  const command = commands.find(({ name }) => name === 'check')!
  const given = readArguments(command, args)
  const outcome = readConfiguration(given, io)
  const asJson = given.own.has('json')
  if ('problems' in outcome) {
    if (asJson) io.stdout.write(`${JSON.stringify({ ok: false, ...outcome }, null, 2)}\n`)
    else io.stderr.write(`${formatProblems(outcome.problems)}\n`)
    return exitCode('usage')
  }
  io.stdout.write(asJson ? `${JSON.stringify(jsonPlan(outcome), null, 2)}\n` : textPlan(outcome))
  return exitCode('ok')
}

function planOf({ config, file }: LoadedConfig) {
  const { log, store, cache, catalog, http, mqtt } = config
  return {
    topology: file,
    roles:
      config.role === 'all' && config.processes.processors > 0
        ? ['gateway', 'processor']
        : [config.role],
    processes: processesOf(config),
    engines: { log: log.engine, store: store.engine, cache: cache.engine, catalog: catalog.engine },
    servers: Object.fromEntries(
      plannedServers(config).map(({ name, addresses }) => [
        name,
        addresses.length === 0 ? 'started by Weir' : addresses.join(' '),
      ]),
    ),
    addresses: { http: http.address, ...(mqtt.enabled ? { mqtt: mqtt.address } : {}) },
    bridges: mqtt.bridges.map(({ name, url }) => `${name} ${url}`),
    data: config.data,
    access: config.auth.mode,
  }
}

/** How many processes of each kind, for people. */
function processesOf(config: Config): string {
  if (!hasWorkers(config)) return 'one'
  const { role, processes } = config
  const { min, max, processors } = processes
  const gateways = `${min === max ? min : `${min} to ${max}`} with doors`
  const others = `${processors} from the log to the store`
  if (role === 'processor') return others
  return role === 'gateway' || processors === 0 ? gateways : `${gateways}, ${others}`
}

function jsonPlan(loaded: LoadedConfig) {
  const { config, sources } = loaded
  const shown = withoutSecrets(config)
  return { ok: true, plan: planOf(loaded), config: shown, sources: Object.fromEntries(sources) }
}

function textPlan(loaded: LoadedConfig): string {
  const { topology, roles, processes, engines, servers, addresses, bridges, data, access } =
    planOf(loaded)
  const pairs = (values: object): string =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${String(value)}`)
      .join(', ')
  const overrides = [...loaded.sources].filter(([, source]) => !/:\d+$/.test(source))
  return [
    'The configuration is good. `weir up` would run:',
    '',
    `  topology   ${topology}`,
    `  roles      ${roles.join(', ')}`,
    ...(processes === 'one' ? [] : [`  processes  ${processes}`]),
    `  engines    ${pairs(engines)}`,
    ...(Object.keys(servers).length === 0 ? [] : [`  servers    ${pairs(servers)}`]),
    `  listens    ${pairs(addresses)}`,
    ...bridges.map(bridge => `  bridge     ${bridge}`),
    `  access     ${access}${loaded.config.insecure ? ', beyond this machine too (insecure)' : ''}`,
    `  data       ${data}`,
    ...overrides.map(([path, source]) => `  ${path} is set by ${source}`),
    '',
  ].join('\n')
}
