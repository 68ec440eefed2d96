import type { Solution } from '../system/solution.ts'
import type { Slo } from '../workloads/workload.ts'
import type { MachineFacts, Phases, RunRecord } from './record.ts'

/** What a run measures, and how; the same for all of its cells. */
export interface RunSettings {
  readonly isQuick: boolean
  readonly seed: number
  readonly blocks: number
  readonly solutions: readonly Solution[]
  readonly profiles: readonly string[]
  readonly slo: Slo
  readonly phases: Phases
}

/** A run that cannot be continued, or not started; the message says why, and what to do. */
export class LabRefusal extends Error {
  override name = 'LabRefusal'
}

/** How a run differs from what is asked for now, in words; empty: it can go on. */
export function differences(run: RunRecord, settings: RunSettings): string[] {
  const found: string[] = []
  const compare = (what: string, was: unknown, is: unknown): void => {
    const [before, now] = [text(was), text(is)]
    if (before !== now) found.push(`${what} was ${before}, and is ${now} now`)
  }
  compare('--quick', run.isQuick, settings.isQuick)
  compare('--seed', run.seed, settings.seed)
  compare('--blocks', run.blocks, settings.blocks)
  compare('--topologies', ids(run.solutions), ids(settings.solutions))
  compare('--profiles', run.profiles, settings.profiles)
  for (const key of keysOf(run.slo, settings.slo)) {
    compare(`the SLO's ${key}`, run.slo[key], settings.slo[key])
  }
  for (const key of keysOf(run.phases, settings.phases)) {
    compare(`the phases' ${key}`, run.phases[key], settings.phases[key])
  }
  return found
}

/** Figures of two machines, or of two states of the code, do not belong into one table. */
export function otherMachine(was: MachineFacts, is: MachineFacts): string[] {
  const found: string[] = []
  for (const key of ['cpu', 'cores', 'commit'] as const) {
    if (was[key] !== is[key]) found.push(`${key} was ${was[key]}, and is ${is[key]} now`)
  }
  for (const [name, file] of Object.entries(is.topologies)) {
    if (was.topologies[name] !== file) found.push(`the topology ${name} is another one now`)
  }
  return found
}

const ids = (solutions: readonly Solution[]): string[] => solutions.map(({ id }) => id)
const text = (value: unknown): string =>
  Array.isArray(value) ? value.join(',') : value === undefined ? 'not set' : String(value)

function keysOf<T extends object>(a: T, b: T): (keyof T & string)[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])] as (keyof T & string)[]
}
