import type { Demand } from '../model/demand.ts'
import type { MeasuredPlan } from './measured.ts'
import type { Phase } from './phase.ts'
import { grouped } from './quantity.ts'

export interface TopologyChoice {
  readonly topology: string
  /** Why, as the rest of a sentence. */
  readonly reason: string
}

/** Of each port that can have a server behind it: `{ store: 'postgres', cache: 'tiered' }`. */
type Engines = Readonly<Record<string, string>>

const DATABASE: Engines = { store: 'postgres', catalog: 'postgres' }
const ENGINES: Readonly<Record<string, Engines>> = {
  embedded: {},
  baseline: DATABASE,
  tune: DATABASE,
  scale: DATABASE,
  cache: { ...DATABASE, cache: 'tiered' },
  queue: { ...DATABASE, log: 'kafka' },
  cluster: { ...DATABASE, cache: 'tiered', log: 'kafka' },
}
/** What has to run besides Weir's own processes, by engine: each is one more that can stand still. */
const SERVERS: Readonly<Record<string, string>> = {
  ...{ postgres: 'PostgreSQL', redis: 'Redis', tiered: 'Redis', kafka: 'Kafka', nats: 'NATS' },
}
const MOST_SERVERS = 4

/** These keep their points in one process's folder, so that a copy is a backup at most. */
const IN_ONE_PROCESS = new Set(['embedded'])

/** Without a measurement: by needs that the rates do not decide, and the phase where they do not. */
export function classicTopology(demand: Demand, phase: Phase): TopologyChoice {
  const { replicas, queriesPerSecond, devices, samplesPerSecond } = demand
  if (phase === 'enterprise') {
    return { topology: 'cluster', reason: 'no single process should be the one that fails' }
  }
  if (phase === 'scale') {
    return queriesPerSecond > devices * samplesPerSecond
      ? { topology: 'cache', reason: 'there are more queries than messages' }
      : {
          topology: 'queue',
          reason: 'there are more messages than queries, and they come in bursts',
        }
  }
  return replicas > 1
    ? { topology: 'tune', reason: 'several copies of the points need a database that replicates' }
    : { topology: 'embedded', reason: 'one process with nothing else to run is enough' }
}

/**
 * Of those that hold what is planned for, the one with the fewest servers, then flags, then cores.
 * Where none does, the one that comes nearest; undefined: there is none to choose from.
 */
export function measuredChoice(
  demand: Demand,
  plans: readonly MeasuredPlan[],
): { readonly plan: MeasuredPlan; readonly reason: string } | undefined {
  const fit = plans.filter(({ topology }) => demand.replicas === 1 || !IN_ONE_PROCESS.has(topology))
  const copies = demand.replicas === 1 ? '' : ' with several copies'
  const [holding] = fit.filter(({ holds }) => holds).toSorted(bySimplicity)
  if (holding !== undefined) {
    const spare = grouped(1 / holding.extrapolation)
    const reason = `the simplest${copies} that held it in the lab, with room for ${spare} times as much`
    return { plan: holding, reason }
  }
  const [nearest] = fit.toSorted((a, b) => a.extrapolation - b.extrapolation)
  if (nearest === undefined) return undefined
  const missing = grouped(nearest.extrapolation)
  const reason = `none${copies} held it in the lab; this comes nearest, ${missing} times too small there`
  return { plan: nearest, reason }
}

/** A flag may bring a server, or make one needless. */
function serversOf({ topology, flags }: MeasuredPlan): number {
  const known = ENGINES[topology]
  if (known === undefined) return MOST_SERVERS
  const given = flags.flatMap(flag => {
    const [, port, engine] = /^--(\w+)\.engine=(\w+)$/.exec(flag) ?? []
    return port === undefined ? [] : [[port, engine]]
  })
  const engines = { ...known, ...(Object.fromEntries(given) as Engines) }
  const servers = Object.values(engines).flatMap(engine => SERVERS[engine] ?? [])
  return new Set(servers).size
}

function bySimplicity(a: MeasuredPlan, b: MeasuredPlan): number {
  return (
    serversOf(a) - serversOf(b) ||
    a.flags.length - b.flags.length ||
    a.resources.cores - b.resources.cores ||
    a.extrapolation - b.extrapolation
  )
}
