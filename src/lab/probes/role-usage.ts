import type { Role, SystemProcess } from '../system/system.ts'
import { processMemoryBytes, processTimes, type ProcessTimes } from './proc-stat.ts'

/** CPU and memory by role at a moment. */
export interface UsageSample {
  /** `performance.now()` */
  readonly atMs: number
  /** Milliseconds of CPU since the sample before. */
  readonly cpuMs: ReadonlyMap<Role, number>
  readonly memoryBytes: ReadonlyMap<Role, number>
  readonly processes: ReadonlyMap<Role, number>
}

/** Walks the pages of every process: not every second. */
const MEMORY_INTERVAL_MS = 5000

interface Known extends ProcessTimes {
  readonly role: Role
}

/** Adds up what processes have used since the last look, also those that ended in between. */
export class RoleUsage {
  readonly #processes: () => readonly SystemProcess[]
  #known = new Map<number, Known>()
  #memory: ReadonlyMap<Role, number> = new Map()
  #memoryAtMs = -Infinity

  constructor(processes: () => readonly SystemProcess[]) {
    this.#processes = processes
    this.#known = this.#look()
  }

  sample(): UsageSample {
    const before = this.#known
    const now = this.#look()
    const cpuMs = new Map<Role, number>()
    const count = new Map<Role, number>()
    const add = (to: Map<Role, number>, role: Role, value: number): void => {
      to.set(role, (to.get(role) ?? 0) + value)
    }
    for (const [pid, { role, ownMs }] of now) {
      add(cpuMs, role, ownMs - (before.get(pid)?.ownMs ?? 0))
      add(count, role, 1)
    }
    for (const [pid, parent] of now) {
      // Of a process that was not known a moment ago, nothing has ended before that counts here.
      const last = before.get(pid)
      if (last === undefined) continue
      const ended = [...before].filter(([child, { parent: of }]) => of === pid && !now.has(child))
      const counted = ended.reduce((sum, [, one]) => sum + one.ownMs + one.endedChildrenMs, 0)
      const role = ended[0]?.[1].role ?? parent.role
      // What has ended and is not waited for yet is in the next sample.
      add(cpuMs, role, Math.max(0, parent.endedChildrenMs - last.endedChildrenMs - counted))
    }
    this.#known = now
    const atMs = performance.now()
    if (atMs - this.#memoryAtMs >= MEMORY_INTERVAL_MS) {
      const memory = new Map<Role, number>()
      for (const [pid, { role }] of now) add(memory, role, processMemoryBytes(pid))
      this.#memory = memory
      this.#memoryAtMs = atMs
    }
    return { atMs, cpuMs, memoryBytes: this.#memory, processes: count }
  }

  #look(): Map<number, Known> {
    const known = new Map<number, Known>()
    for (const { pid, role } of this.#processes()) {
      const times = processTimes(pid)
      if (times !== undefined) known.set(pid, { role, ...times })
    }
    return known
  }
}
