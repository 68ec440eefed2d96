import { findFlag, type FlagGiven } from '../../config/layer.ts'
import { loadConfig } from '../../config/load.ts'
import { formatProblems } from '../../config/problem.ts'
import type { Config } from '../../config/schema.ts'
import type { Solution } from './solution.ts'

/** What a solution's topology and flags come to, with the user's variables. */
export function configOf(
  { topology, flags }: Solution,
  env: Readonly<Record<string, string | undefined>>,
): { readonly config: Config } | { readonly problem: string } {
  const given: FlagGiven[] = []
  for (const text of flags) {
    const [flag, ...value] = text.replace(/^--/, '').split('=')
    if (findFlag(flag) === undefined) return { problem: `${text} is no flag of the configuration` }
    given.push(value.length === 0 ? { flag } : { flag, value: value.join('=') })
  }
  const outcome = loadConfig({ flags: given, env, cwd: process.cwd(), topology })
  if ('problems' in outcome) return { problem: formatProblems(outcome.problems) }
  return { config: outcome.config }
}

/** Flags without those that name places on servers: each step has places of its own. */
export function flagsWithoutPlaces(flags: readonly string[]): string[] {
  return flags.filter(text => {
    const path = findFlag(text.replace(/^--/, '').split('=')[0])?.path ?? ''
    return !PLACES.has(path)
  })
}

const PLACES = new Set([
  ...['data', 'http.address', 'mqtt.address'],
  ...['postgres.url', 'postgres.schema', 'redis.url', 'redis.keyPrefix'],
  ...['kafka.brokers', 'kafka.topic', 'nats.servers', 'nats.prefix'],
])
