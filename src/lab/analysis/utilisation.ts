import type { MachineFacts } from '../run/record.ts'
import type { Role } from '../system/system.ts'
import type { MeasuredStep } from './result-set.ts'

/** What a role costs, by the utilisation law: its busy time ÷ the requests in it. */
export interface RoleCost {
  readonly role: Role | 'generator'
  /** Percent of one core, mean of the measured time. */
  readonly cpuPct: number
  readonly cpuMsPerRequest: number
  readonly processes: number
}

/** A pool of connections as a queue with so many servers. */
export interface PoolUse {
  readonly size: number
  readonly busy: number
  /** Requests that waited for a connection, mean; and for how long, by Little's law. */
  readonly waiting: number
  readonly waitMs: number
  /** A connection's time for one request: busy ÷ rate. */
  readonly serviceMs: number
  /** Size ÷ service time: no more than so many requests a second, whatever is offered. */
  readonly ceiling: number
}

/** A step by the operational laws (Little 1961, Denning & Buzen 1978). */
export interface Utilisation {
  readonly rate: number
  readonly meanLatencyMs: number
  /** Requests in the system: rate × latency. */
  readonly concurrency: number
  readonly cores: number
  /** Dearest first; the generator, which runs on the same cores, among them. */
  readonly roles: readonly RoleCost[]
  /** Of all cores: 100 is a machine that is full. What others stole of it counts. */
  readonly machinePct: number
  /** Cores ÷ CPU time of a request. */
  readonly machineCeiling: number
  readonly pool?: PoolUse
}

export function utilisationOf(
  { load, probes }: MeasuredStep,
  { cores }: Pick<MachineFacts, 'cores'>,
): Utilisation {
  const rate = load.achievedRate
  const seconds = load.measuredMs / 1000
  const requests = Math.max(1, rate * seconds)
  const roles: RoleCost[] = probes.roles.map(figures => ({
    role: figures.role,
    cpuPct: figures.cpuMeanPct,
    cpuMsPerRequest: (figures.cpuSeconds * 1000) / requests,
    processes: figures.processesMax,
  }))
  const generatorMs = (load.generatorCpuShare * seconds * 1000) / requests
  roles.push({
    role: 'generator',
    cpuPct: load.generatorCpuShare * 100,
    cpuMsPerRequest: generatorMs,
    processes: 1,
  })
  roles.sort((a, b) => b.cpuMsPerRequest - a.cpuMsPerRequest)
  const usedPct = roles.reduce((sum, { cpuPct }) => sum + cpuPct, 0)
  const costMs = roles.reduce((sum, { cpuMsPerRequest }) => sum + cpuMsPerRequest, 0)
  const pool = poolUse(probes.node, rate)
  return {
    rate,
    meanLatencyMs: load.latency.meanMs,
    concurrency: (rate * load.latency.meanMs) / 1000,
    cores,
    roles,
    machinePct: usedPct / cores + probes.stealPct,
    machineCeiling: (cores * 1000) / costMs,
    ...(pool === undefined ? {} : { pool }),
  }
}

export function costOf(use: Utilisation, role: RoleCost['role']): RoleCost | undefined {
  return use.roles.find(cost => cost.role === role)
}

/** Requests a second that the machine could do if `role` cost nothing: more, no change of it gives. */
export function ceilingWithout(use: Utilisation, role: RoleCost['role']): number {
  const rest = use.roles.filter(cost => cost.role !== role)
  return (use.cores * 1000) / rest.reduce((sum, { cpuMsPerRequest }) => sum + cpuMsPerRequest, 0)
}

function poolUse(
  { poolSize, poolBusyMean, poolWaitingMean = 0 }: MeasuredStep['probes']['node'],
  rate: number,
): PoolUse | undefined {
  if (poolSize === undefined || poolBusyMean === undefined || !(rate > 0)) return undefined
  const serviceMs = (poolBusyMean / rate) * 1000
  return {
    size: poolSize,
    busy: poolBusyMean,
    waiting: poolWaitingMean,
    waitMs: (poolWaitingMean / rate) * 1000,
    serviceMs,
    ceiling: serviceMs > 0 ? (poolSize * 1000) / serviceMs : Number.POSITIVE_INFINITY,
  }
}
