import type { HttpClient } from '../system/http-client.ts'
import type { NodeFigures } from './figures.ts'
import { readMetrics, type MetricValue } from './metrics-text.ts'
import { mean, most } from './summary.ts'

const LAG = 'nodejs_eventloop_lag_p99_seconds'
const POOL = 'weir_database_connections'
const REQUESTS = 'cache_requests_total'
const HITS = 'cache_hits_total'
const BEHIND = 'log_lag_points'
const WANTED = new Set([LAG, POOL, REQUESTS, HITS, BEHIND])

/** A loop that is never late reads this: the clock that watches it ticks so often. */
const LOOP_RESOLUTION_MS = 10
const TIMEOUT_MS = 5000

interface Pool {
  readonly size: number
  readonly busy: number
  readonly waiting: number
}

export interface NodeSample {
  readonly atMs: number
  readonly loopMs?: number
  /** By kind of process; of those with most connections in use. */
  readonly pools: ReadonlyMap<string, Pool>
  readonly cacheRequests: number
  readonly cacheHits: number
  readonly lagPoints?: number
}

/** Undefined where it has no metrics, or is too busy to tell them. */
export async function sampleNode(client: HttpClient): Promise<NodeSample | undefined> {
  const answer = await client.get('/metrics', TIMEOUT_MS).catch(() => undefined)
  if (answer?.status !== 200) return undefined
  const metrics = readMetrics(answer.text, WANTED)
  const of = (name: string): readonly MetricValue[] => metrics.get(name) ?? []
  const loops = of(LAG).map(({ value }) => value * 1000 - LOOP_RESOLUTION_MS)
  const behind = of(BEHIND).filter(({ labels }) => labels['group'] === 'writer')
  return {
    atMs: performance.now(),
    ...(loops.length === 0 ? {} : { loopMs: most(loops) }),
    pools: poolsOf(of(POOL)),
    cacheRequests: sum(of(REQUESTS)),
    cacheHits: sum(of(HITS)),
    ...(behind.length === 0 ? {} : { lagPoints: sum(behind) }),
  }
}

/** Processes of a kind divide its work; gateways and processors have different work. */
function poolsOf(values: readonly MetricValue[]): Map<string, Pool> {
  const pools = new Map<string, { size: number; busy: number; waiting: number }>()
  for (const { labels, value } of values) {
    const kind = (labels['process'] ?? '').replace(/-.*$/, '')
    const pool = pools.get(kind) ?? { size: 0, busy: 0, waiting: 0 }
    if (labels['state'] === 'size') pool.size += value
    if (labels['state'] === 'in_use') pool.busy += value
    if (labels['state'] === 'waiting') pool.waiting += value
    pools.set(kind, pool)
  }
  return pools
}

export function nodeFigures(samples: readonly NodeSample[]): NodeFigures {
  const loops = samples.flatMap(({ loopMs }) => loopMs ?? [])
  const lags = samples.flatMap(({ lagPoints }) => lagPoints ?? [])
  const [first] = samples
  const last = samples.at(-1)
  const requests = last === undefined ? 0 : last.cacheRequests - first.cacheRequests
  return {
    ...(loops.length === 0 ? {} : { eventLoopP99Ms: mean(loops) }),
    ...poolFigures(samples),
    ...(requests <= 0 ? {} : { cacheHitShare: (last!.cacheHits - first.cacheHits) / requests }),
    ...(lags.length === 0 ? {} : { lagMaxPoints: most(lags) }),
  }
}

/** Of the kind of process whose connections are used most. */
function poolFigures(samples: readonly NodeSample[]): Partial<NodeFigures> {
  const kinds = new Set(samples.flatMap(({ pools }) => [...pools.keys()]))
  const figures = [...kinds].map(kind => {
    const pools = samples.flatMap(({ pools: of }) => of.get(kind) ?? [])
    return {
      poolSize: most(pools.map(({ size }) => size)),
      poolBusyMean: mean(pools.map(({ busy }) => busy)),
      poolWaitingMean: mean(pools.map(({ waiting }) => waiting)),
    }
  })
  const share = (one: (typeof figures)[number]): number => one.poolBusyMean / one.poolSize
  return figures.filter(({ poolSize }) => poolSize > 0).sort((a, b) => share(b) - share(a))[0] ?? {}
}

function sum(values: readonly MetricValue[]): number {
  return values.reduce((total, { value }) => total + value, 0)
}
