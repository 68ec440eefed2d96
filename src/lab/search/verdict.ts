import type { Latency, LoadResult } from '../generator/load.ts'
import type { ProbeFigures } from '../probes/figures.ts'
import type { Breach, Verdict } from '../run/record.ts'
import type { Slo } from '../workloads/workload.ts'
import { tailOf } from './tail.ts'

/** Beyond these the instrument, not the system, may have made the figures. */
export const MAX_SEND_LAG_MS = 5
export const MAX_GENERATOR_CPU_SHARE = 0.8

/** Of the points a second: a backlog that grows faster will never be worked off. */
const MAX_SLOPE_SHARE = 0.01
/**
 * A backlog that a batching consumer moves up and down grows by chance within a short window. What it
 * grew by has to be worth that much of the load besides; in windows of 25 s and more it always is.
 */
const MIN_GROWTH_SECONDS = 0.25
const DRAIN_LIMIT_MS = 5000

export interface JudgedStep {
  readonly load: LoadResult
  /** Absent where the system ended before it could be asked. */
  readonly probes?: ProbeFigures
  readonly slo: Slo
  /** For the words of a breach; 5 s. */
  readonly drainLimitMs?: number
}

/**
 * Whether the rate of a step was sustained (LAB.md, maximum sustainable throughput). A lost point is
 * `invalid` whatever else is true; then an instrument that was not good enough makes it `void`. The
 * breaches of the system are named in both cases. That all systems are as durable as each other is no
 * figure: the house starts every server so that what it acknowledges is on disk.
 */
export function judge({ load, probes, slo, drainLimitMs = DRAIN_LIMIT_MS }: JudgedStep): Verdict {
  const lost = probes === undefined ? [] : ledgerBreaches(probes)
  const blurred = instrumentBreaches(load)
  const broken = [
    ...latencyBreaches(load, slo),
    ...errorBreaches(load, slo),
    ...achievedBreaches(load, slo),
    ...(probes === undefined ? [] : unreadBreaches(probes)),
    ...(probes === undefined ? [] : backlogBreaches(load, { probes, drainLimitMs })),
    ...(probes === undefined ? [] : freshnessBreaches(probes, slo)),
  ]
  if (lost.length > 0) return { outcome: 'invalid', breaches: [...lost, ...broken] }
  if (blurred.length > 0) return { outcome: 'void', breaches: [...blurred, ...broken] }
  return { outcome: broken.length === 0 ? 'pass' : 'fail', breaches: broken }
}

function ledgerBreaches({ ledger, backlog }: ProbeFigures): Breach[] {
  if (ledger.missing !== undefined || ledger.unread !== undefined) return []
  const details = [...ledger.problems]
  if (details.length === 0) {
    const { acknowledged, uncertain, stored, counted, imbalance } = ledger
    // What still waits in a queue is not stored yet, and not lost: that is the backlog's rule.
    const isDrained = backlog.drainedMs !== undefined
    if (isDrained && imbalance !== 0) {
      details.push(`the node's ledger is out by ${points(imbalance)}, at most 0`)
    }
    for (const [found, how] of [
      [stored, 'by the ledger'],
      [counted, 'by queries'],
    ] as const) {
      if (found === undefined) continue
      const most = acknowledged + uncertain
      if (isDrained && found < acknowledged) {
        const missing = points(acknowledged - found)
        details.push(`${missing} lost: ${acknowledged} acknowledged, ${found} stored ${how}`)
      } else if (found > most) {
        details.push(`${points(found - most)} too many: at most ${most}, ${found} stored ${how}`)
      }
    }
  }
  return details.map(detail => ({ rule: 'ledger', detail }))
}

/** A system that cannot tell what it has stored has not shown that it holds the rate. */
function unreadBreaches({ ledger: { unread } }: ProbeFigures): Breach[] {
  if (unread === undefined) return []
  return [{ rule: 'unread', detail: `the ledger cannot be read: ${unread}` }]
}

function instrumentBreaches(load: LoadResult): Breach[] {
  const breaches: Breach[] = []
  if (load.offeredRate === 0) {
    breaches.push({ rule: 'send-lag', detail: 'no request was meant for the measured time' })
  }
  const lag = tailOf(load.sendLag)
  if (lag.ms > MAX_SEND_LAG_MS) {
    const detail = `the generator's send lag ${lag.name} ${ms(lag.ms)}, at most ${MAX_SEND_LAG_MS} ms`
    breaches.push({ rule: 'send-lag', detail })
  }
  if (load.generatorCpuShare > MAX_GENERATOR_CPU_SHARE) {
    const used = percent(load.generatorCpuShare)
    const most = percent(MAX_GENERATOR_CPU_SHARE)
    const detail = `the generator used ${used} of its core, at most ${most}`
    breaches.push({ rule: 'generator-cpu', detail })
  }
  return breaches
}

function latencyBreaches(load: LoadResult, slo: Slo): Breach[] {
  const breaches = load.endpoints.flatMap(({ name, latency }) =>
    latencyBreachesOf(name, latency, slo),
  )
  // A kind of request that came too seldom for a p99 of its own counts with the others.
  const isSeldom = load.endpoints.some(({ latency }) => tailOf(latency).name !== 'p99')
  if (breaches.length > 0 || !isSeldom) return breaches
  return latencyBreachesOf('all requests', load.latency, slo)
}

function latencyBreachesOf(name: string, latency: Latency, slo: Slo): Breach[] {
  if (latency.count === 0) return []
  const breaches: Breach[] = []
  const tail = tailOf(latency)
  if (tail.name === 'p99' && latency.p99Ms > slo.p99Ms) {
    const detail = `p99 of ${name} ${ms(latency.p99Ms)}, at most ${ms(slo.p99Ms)}`
    breaches.push({ rule: 'p99', detail })
  }
  const [shown, figure] =
    tail.name === 'p50' ? (['p50', latency.p50Ms] as const) : (['p95', latency.p95Ms] as const)
  if (figure > slo.p95Ms) {
    const detail = `${shown} of ${name} ${ms(figure)}, at most ${ms(slo.p95Ms)}`
    breaches.push({ rule: 'p95', detail })
  }
  return breaches
}

function errorBreaches({ errorShare, firstFailure }: LoadResult, slo: Slo): Breach[] {
  if (errorShare < slo.maxErrorShare) return []
  const first = firstFailure === undefined ? '' : ` (${firstFailure})`
  const detail = `${percent(errorShare)} errors, less than ${percent(slo.maxErrorShare)}${first}`
  return [{ rule: 'errors', detail }]
}

/**
 * A system that keeps up has by Little's law rate × latency requests in flight at any time, at the end
 * of the window too; those are not missing. (Where it does not keep up, their latency says so.)
 */
function achievedBreaches(load: LoadResult, slo: Slo): Breach[] {
  const { offeredRate, achievedRate, latency, measuredMs } = load
  if (offeredRate === 0 || measuredMs === 0) return []
  const inFlight = Math.max(1, (offeredRate * Math.min(latency.meanMs, slo.p95Ms)) / 1000)
  const excused = achievedRate + (inFlight * 1000) / measuredMs
  if (excused >= offeredRate * slo.minAchievedShare) return []
  const share = percent(achievedRate / offeredRate)
  const rates = `${rate(achievedRate)} of ${rate(offeredRate)}`
  const least = percent(slo.minAchievedShare)
  return [{ rule: 'achieved', detail: `achieved ${rates}: ${share}, at least ${least}` }]
}

function backlogBreaches(
  load: LoadResult,
  { probes, drainLimitMs }: { probes: ProbeFigures; drainLimitMs: number },
): Breach[] {
  // Without a ledger nobody has looked: that none was seen empty says nothing.
  if (probes.ledger.missing !== undefined) return []
  const { slopePerSecond, drainedMs, maxPoints } = probes.backlog
  const breaches: Breach[] = []
  const runMs = Math.max(load.measuredMs, load.ticks.at(-1)?.atMs ?? 0)
  const perSecond = runMs === 0 ? 0 : (load.acknowledgedPoints * 1000) / runMs
  const growth = (slopePerSecond * load.measuredMs) / 1000
  if (slopePerSecond > perSecond * MAX_SLOPE_SHARE && growth > perSecond * MIN_GROWTH_SECONDS) {
    const grew = `the backlog grew by ${points(slopePerSecond)}/s`
    const most = `at most ${percent(MAX_SLOPE_SHARE)} of ${points(perSecond)}/s`
    breaches.push({ rule: 'backlog', detail: `${grew}, ${most}` })
  }
  if (drainedMs === undefined || drainedMs > drainLimitMs) {
    const took = drainedMs === undefined ? 'was not empty' : `took ${ms(drainedMs)}`
    const detail = `the backlog of ${points(maxPoints)} ${took} after the end, at most ${ms(drainLimitMs)}`
    breaches.push({ rule: 'backlog', detail })
  }
  return breaches
}

/** With fewer samples than a p99 needs, the p95 has to keep the bound. */
function freshnessBreaches({ freshness }: ProbeFigures, slo: Slo): Breach[] {
  const tail = tailOf(freshness)
  if (freshness.count === 0 || tail.ms <= slo.freshnessP99Ms) return []
  const detail = `freshness ${tail.name} ${ms(tail.ms)}, at most ${ms(slo.freshnessP99Ms)}`
  return [{ rule: 'freshness', detail }]
}

const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
const percent = (share: number): string => `${Number((share * 100).toFixed(share < 0.1 ? 2 : 1))} %`
const rate = (value: number): string => `${Math.round(value * 10) / 10}/s`
const points = (count: number): string => {
  const whole = Math.round(count * 10) / 10
  return `${whole} point${Math.abs(whole) === 1 ? '' : 's'}`
}
