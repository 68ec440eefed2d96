import type { Role } from '../system/system.ts'
import type { ProbeFigures } from './figures.ts'
import { TICK_MS, type MachineTicks } from './proc-stat.ts'

/** What is known of the whole machine at a moment. */
export interface MachineMoment {
  /** `performance.now()` */
  readonly atMs: number
  /** CPU of the system's processes since the moment before, milliseconds. */
  readonly cpuMs: ReadonlyMap<Role, number>
  /** Since the start of the machine; undefined where the kernel does not tell. */
  readonly machine: MachineTicks | undefined
  readonly pressureMs: number | undefined
  /** CPU of the process that asks and records, since its start. */
  readonly ownCpuMs: number
}

export type MachineFigures = Pick<ProbeFigures, 'stealPct' | 'othersPct' | 'cpuPressurePct'>

/** Between the first moment and the last. `generatorCpuShare`: of one core, in that time. */
export function machineFigures(
  moments: readonly MachineMoment[],
  generatorCpuShare: number,
): MachineFigures {
  const [first] = moments
  const last = moments.at(-1)
  if (first?.machine === undefined || last?.machine === undefined || first === last) {
    return { stealPct: 0 }
  }
  const overMs = last.atMs - first.atMs
  const all = last.machine.total - first.machine.total
  const busyMs = (last.machine.busy - first.machine.busy) * TICK_MS
  const systemMs = moments
    .slice(1)
    .flatMap(({ cpuMs }) => [...cpuMs.values()])
    .reduce((sum, ms) => sum + ms, 0)
  const labMs = last.ownCpuMs - first.ownCpuMs + generatorCpuShare * overMs
  const isKnown = first.pressureMs !== undefined && last.pressureMs !== undefined
  return {
    stealPct: percent(last.machine.steal - first.machine.steal, all),
    othersPct: Math.max(0, percent(busyMs - systemMs - labMs, all * TICK_MS)),
    ...(isKnown ? { cpuPressurePct: percent(last.pressureMs - first.pressureMs, overMs) } : {}),
  }
}

const percent = (part: number, whole: number): number => (whole <= 0 ? 0 : (part / whole) * 100)
