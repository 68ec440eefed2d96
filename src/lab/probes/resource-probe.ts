import type { Role, SystemProcess } from '../system/system.ts'
import type { ResourceSample, RoleFigures } from './figures.ts'
import { machineFigures, type MachineFigures, type MachineMoment } from './machine-usage.ts'
import { cpuPressureMs, machineTicks } from './proc-stat.ts'
import { RoleUsage, type UsageSample } from './role-usage.ts'
import { most } from './summary.ts'

interface Moment extends UsageSample, MachineMoment {
  /** Since the sample before. */
  readonly overMs: number
  readonly backlogPoints: number
}

interface Window {
  readonly fromMs: number
  readonly toMs: number
}

/** CPU and memory by role, sample for sample. */
export class ResourceProbe {
  readonly #usage: RoleUsage
  readonly #moments: Moment[] = []
  #lastMs = performance.now()

  constructor(processes: () => readonly SystemProcess[]) {
    this.#usage = new RoleUsage(processes)
  }

  sample(backlogPoints: number): void {
    const sample = this.#usage.sample()
    const overMs = sample.atMs - this.#lastMs
    this.#lastMs = sample.atMs
    const machine = machineTicks()
    const { user, system } = process.cpuUsage()
    const own = { pressureMs: cpuPressureMs(), ownCpuMs: (user + system) / 1000 }
    this.#moments.push({ ...sample, ...own, overMs, machine, backlogPoints })
  }

  last(sinceMs: number): ResourceSample | undefined {
    const moment = this.#moments.at(-1)
    return moment && sampleOf(moment, sinceMs)
  }

  samples(sinceMs: number): ResourceSample[] {
    return this.#moments
      .filter(({ overMs }) => overMs >= SHORTEST_MS)
      .map(moment => sampleOf(moment, sinceMs))
  }

  roles(window: Window): RoleFigures[] {
    const moments = this.#within(window)
    const overMs = moments.reduce((sum, moment) => sum + moment.overMs, 0)
    const roles = new Set(moments.flatMap(({ processes }) => [...processes.keys()]))
    return [...roles].map(role => {
      const cpuMs = moments.reduce((sum, moment) => sum + (moment.cpuMs.get(role) ?? 0), 0)
      const full = moments.filter(moment => moment.overMs >= SHORTEST_MS)
      return {
        role,
        cpuMeanPct: percent(cpuMs, overMs),
        cpuMaxPct: most(full.map(moment => percent(moment.cpuMs.get(role) ?? 0, moment.overMs))),
        cpuSeconds: cpuMs / 1000,
        memoryMaxBytes: most(moments.map(({ memoryBytes }) => memoryBytes.get(role) ?? 0)),
        processesMax: most(moments.map(({ processes }) => processes.get(role) ?? 0)),
      }
    })
  }

  /** `generatorCpuShare`: of one core, in the window. */
  machine(window: Window, generatorCpuShare: number): MachineFigures {
    return machineFigures(this.#within(window), generatorCpuShare)
  }

  /** Samples most of whose time is within. */
  #within({ fromMs, toMs }: Window): Moment[] {
    return this.#moments.filter(({ atMs, overMs }) => {
      const middleMs = atMs - overMs / 2
      return middleMs >= fromMs && middleMs < toMs
    })
  }
}

/** Of a shorter time, a tick of the clock is too much for a percentage. */
const SHORTEST_MS = 300

function sampleOf({ atMs, overMs, cpuMs, memoryBytes, backlogPoints }: Moment, sinceMs: number) {
  const cpuPct: Partial<Record<Role, number>> = {}
  for (const [role, ms] of cpuMs) cpuPct[role] = percent(ms, overMs)
  const memory = Object.fromEntries(memoryBytes) as Partial<Record<Role, number>>
  return { atMs: atMs - sinceMs, cpuPct, memoryBytes: memory, backlogPoints }
}

function percent(part: number, whole: number): number {
  return whole <= 0 ? 0 : (part / whole) * 100
}
