import type { Solution } from '../system/solution.ts'

const solution = (id: string, summary: string): Solution => ({
  id,
  topology: id,
  flags: [],
  summary,
})

const SCALED = [
  '--processes.min=1',
  '--processes.max=4',
  '--processes.targetCpuPct=70',
  '--processes.cooldownMs=30s',
]
const CACHED = ['--cache.engine=tiered', '--cache.queryTtlMs=10s', '--cache.latestTtlMs=10s']

/** Every architecture that the lab knows, in the order of its tables. */
export const SOLUTIONS: readonly Solution[] = [
  solution('baseline', 'one process on PostgreSQL, an INSERT a request, a pool of 15'),
  solution('tune', 'merged writes, prepared statements, a latest table, a pool that fits'),
  solution('scale', '1 to 4 processes on one port, as the load asks'),
  solution('cache', 'reads through memory and Redis, which writes invalidate'),
  solution('queue', 'Kafka between the doors and the database'),
  solution('cluster', 'tune, scale, cache and queue together'),
  solution('embedded', 'one process with everything inside, no server'),
  {
    ...{ id: 'stack-scale', topology: 'tune', flags: SCALED },
    summary: 'tune, then scale: the second step of the stack',
  },
  {
    ...{ id: 'stack-cache', topology: 'tune', flags: [...SCALED, ...CACHED] },
    summary: 'tune, scale, then cache: the third step of the stack',
  },
]

/** The baseline under another name: how far it is from itself is the noise of the table. */
export const CONTROL: Solution = {
  ...{ id: 'baseline-again', topology: 'baseline', flags: [] },
  summary: 'the baseline once more, as a control',
}

/** Cumulative: what a team would go through, each with what the ones before have. */
export const STACK = ['baseline', 'tune', 'stack-scale', 'stack-cache', 'cluster'] as const

const TABLE = ['baseline', 'tune', 'scale', 'cache', 'queue', 'embedded'] as const
const ALL = ['baseline', 'tune', 'scale', 'cache', 'queue', 'cluster', 'embedded'] as const
const GROUPS: Readonly<Record<string, readonly string[]>> = { table: TABLE, all: ALL, stack: STACK }

/** What runs where nobody names anything. */
export function defaultSolutions(isQuick: boolean): readonly string[] {
  return isQuick ? TABLE : ALL
}

/**
 * Solutions by id or group (`table`, `all`, `stack`), or the path of a topology file, whose name
 * without extension is then its id. Each once, in the order given.
 *
 * @throws Error that says what there is.
 */
export function solutionsNamed(names: readonly string[]): Solution[] {
  const found = new Map<string, Solution>()
  for (const name of names.flatMap(name => (Object.hasOwn(GROUPS, name) ? GROUPS[name] : name))) {
    const one = solutionNamed(name)
    if (found.has(one.id) && found.get(one.id)!.topology !== one.topology) {
      throw new Error(`two topologies would both be called ${one.id}`)
    }
    found.set(one.id, one)
  }
  return [...found.values()]
}

function solutionNamed(name: string): Solution {
  const known = [...SOLUTIONS, CONTROL].find(({ id }) => id === name)
  if (known !== undefined) return known
  const file = /([^/\\]+)\.ya?ml$/.exec(name)
  if (file !== null) return { id: file[1], topology: name, flags: [], summary: name }
  const there = [...SOLUTIONS.map(({ id }) => id), ...Object.keys(GROUPS)].join(', ')
  throw new Error(`no such topology: ${name} (there are ${there}, or the path of a .yaml file)`)
}
