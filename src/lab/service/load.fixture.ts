import type { Latency, LoadPlan, LoadResult, StartLoad, Tick } from '../generator/load.ts'

/** What a system with these properties would show a generator. */
export interface FakeSystem {
  /** Up to this rate it answers in 5 ms, beyond it in 900 ms. */
  capacityRps: number
  errorShare: number
  sendLagMs: number
  /** Thrown in place of a result. */
  failure?: string
  /** Only from this rate on. */
  failsFromRps?: number
  /** Whether that is before the load begins. */
  failsAtStart?: boolean
  /** Loads end when they are stopped, and not before. */
  isEndless: boolean
}

export interface FakeLoads {
  readonly system: FakeSystem
  readonly plans: LoadPlan[]
  readonly startLoad: StartLoad
  /** Lets every load under way report a second. */
  tick(tick: Tick): void
}

/** Loads that send nothing and end at once, so that tests of the service take no time. */
export function fakeLoads(given: Partial<FakeSystem> = {}): FakeLoads {
  const system: FakeSystem = {
    ...{ capacityRps: Infinity, errorShare: 0, sendLagMs: 0.1, isEndless: false },
    ...given,
  }
  const plans: LoadPlan[] = []
  const listeners: ((tick: Tick) => void)[] = []
  return {
    system,
    plans,
    tick: tick => {
      for (const listener of listeners) listener(tick)
    },
    startLoad: async (plan, onTick) => {
      plans.push(plan)
      if (onTick !== undefined) listeners.push(onTick)
      if (system.failsAtStart === true) throw new Error(system.failure)
      const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
      const finish = async (): Promise<LoadResult> => {
        if (system.isEndless) await stopped
        const isBroken = constantRateOf(plan).rate >= (system.failsFromRps ?? 0)
        if (system.failure !== undefined && isBroken) throw new Error(system.failure)
        return { ...resultOf(plan, system), ...(system.isEndless ? { stoppedAtMs: 1 } : {}) }
      }
      return { pid: 0, result: finish(), stop }
    },
  }
}

function constantRateOf({ executor }: LoadPlan): { rate: number; durationMs: number } {
  if (executor.kind !== 'constant-arrival-rate') throw new Error('no such load here')
  return executor
}

export function resultOf(plan: LoadPlan, system: FakeSystem): LoadResult {
  const { warmUpMs, workload } = plan
  const { rate, durationMs } = constantRateOf(plan)
  const measuredMs = durationMs - warmUpMs
  const requests = Math.round((rate * measuredMs) / 1000)
  const failures = Math.round(requests * system.errorShare)
  const answerMs = rate > system.capacityRps ? 900 : 5
  const latency = latencyOf(answerMs, requests)
  const statuses = { 200: requests - failures, ...(failures > 0 ? { 0: failures } : {}) }
  return {
    startedAt: new Date().toISOString(),
    ...{ measuredMs, offeredRate: rate, achievedRate: rate * (1 - system.errorShare) },
    ...{ errorShare: system.errorShare, latency, stages: [], ticks: [] },
    endpoints: [
      {
        name: workload.requests[0].name,
        ...{ requests, successes: requests - failures, tolerated: 0, failures, timeouts: 0 },
        ...{ statuses, latency, histogram: '' },
      },
    ],
    sendLag: latencyOf(system.sendLagMs, requests),
    ...{ generatorCpuShare: 0.05, acknowledgedPoints: requests - failures, uncertainPoints: 0 },
    ...(failures > 0 ? { firstFailure: 'connect ECONNREFUSED' } : {}),
  }
}

function latencyOf(ms: number, count: number): Latency {
  return { count, meanMs: ms, p50Ms: ms, p95Ms: ms, p99Ms: ms, maxMs: ms }
}
