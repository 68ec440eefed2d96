import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { DEFAULT_SLO, type Workload } from '../workloads/workload.ts'
import type { Executor } from './executor.ts'
import type { LoadPlan } from './load.ts'

/** What a server does with requests; without anything, it answers them at once. */
export interface TargetBehaviour {
  readonly status?: number
  readonly delayMs?: number
  /** Takes so long for each request, one after the other. */
  readonly serialMs?: number
  readonly isMute?: boolean
  readonly isChunked?: boolean
  /** In place of HTTP. */
  readonly garbage?: string
  /** Closes the connection instead of answering. */
  readonly breakEvery?: number
  /** Says that it will close the connection, and does. */
  readonly closesEvery?: number
  /** Acknowledges this point and does not keep it. */
  readonly loseEvery?: number
}

export interface TargetReport {
  readonly requests: number
  readonly broken: number
  readonly connections: number
  readonly mostAtOnce: number
  /** Distinct points. */
  readonly held: number
  /** The client's port, method, path and body of the first requests, as they came. */
  readonly seen: readonly string[]
}

export interface Target {
  readonly url: string
  readonly pid: number
  report(): Promise<TargetReport>
}

/** A server in a process of its own. */
export async function startTarget(
  t: TestContext,
  behaviour: TargetBehaviour = {},
): Promise<Target> {
  const child = fork(new URL('./target-child.ts', import.meta.url), [JSON.stringify(behaviour)])
  t.after(() => child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    async report() {
      child.send('report')
      const [report] = (await once(child, 'message')) as [TargetReport]
      return report
    },
  }
}

/** Writes and reads in equal shares; a write has two points. */
export const WORKLOAD: Workload = {
  ...{ id: 'test', title: 'Test', summary: 'Writes and reads.', devices: 50, devicePrefix: 'd-' },
  metrics: { x: { min: 0, max: 1, decimals: 3 }, y: { min: -100, max: 100, decimals: 1 } },
  requests: [
    {
      ...{ name: 'write', weight: 1, method: 'POST', expects: [200, 201], points: 2 },
      path: ['/write/', { is: 'device' }],
      body: {
        is: 'object',
        fields: {
          at: { is: 'time', unique: true },
          x: { is: 'number', min: 0, max: 1, decimals: 3 },
          y: { is: 'number', min: -100, max: 100, decimals: 1 },
        },
      },
    },
    {
      ...{ name: 'read', weight: 1, method: 'GET', expects: [200], points: 0 },
      path: ['/latest/', { is: 'device' }],
    },
  ],
  history: { points: 0, intervalMs: 0 },
  executor: { kind: 'constant-arrival-rate', arrivals: 'poisson', rate: 100, durationMs: 1000 },
  slo: DEFAULT_SLO,
}

/** Only the writes. */
export const WRITES: Workload = { ...WORKLOAD, requests: [WORKLOAD.requests[0]] }

/** Evenly, so that how many there are is known. */
export function constantRate(rate: number, durationMs: number): Executor {
  return { kind: 'constant-arrival-rate', arrivals: 'constant', rate, durationMs }
}

export function loadPlan(url: string, executor: Executor, more: Partial<LoadPlan> = {}): LoadPlan {
  return {
    ...{ url, executor, workload: WORKLOAD, slo: DEFAULT_SLO, seed: 42, connections: 8 },
    // A machine that is busy with other tests takes long for anything.
    ...{ warmUpMs: 0, timeoutMs: 30_000, ...more },
  }
}
