import { readFileSync } from 'node:fs'

/** `getconf CLK_TCK`: 100 on every Linux that Node runs on. */
export const TICK_MS = 10
const PAGE_BYTES = 4096

export interface ProcessTimes {
  readonly parent: number
  /** CPU of the process itself, user and system, since its start. */
  readonly ownMs: number
  /** Of children that have ended and been waited for, and of theirs. */
  readonly endedChildrenMs: number
}

/**
 * Undefined where there is no such process. One that has ended is there until its parent asks how; only
 * then its times are among its parent's.
 */
export function processTimes(pid: number): ProcessTimes | undefined {
  const stat = textOf(`/proc/${pid}/stat`)
  // The name may have spaces and brackets; behind it the state is the first field (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (stat === '' || fields[0] === 'X') return undefined
  const ticks = (place: number): number => Number(fields[place])
  return {
    parent: ticks(1),
    ownMs: (ticks(11) + ticks(12)) * TICK_MS,
    endedChildrenMs: (ticks(13) + ticks(14)) * TICK_MS,
  }
}

/**
 * Its share of what it has in memory (PSS: what several processes share counts once in their sum).
 * Where the kernel does not tell that: what it has for itself.
 */
export function processMemoryBytes(pid: number): number {
  const pss = /^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1]
  if (pss !== undefined) return Number(pss) * 1024
  const [, resident = 0, shared = 0] = textOf(`/proc/${pid}/statm`).split(' ').map(Number)
  return (resident - shared) * PAGE_BYTES
}

export interface MachineTicks {
  /** Of all cores together. */
  readonly total: number
  /** Neither idle nor waiting for a disk, nor stolen. */
  readonly busy: number
  /** Taken by others on the same hardware. */
  readonly steal: number
}

/** Undefined where there is no /proc. */
export function machineTicks(): MachineTicks | undefined {
  const [, ...fields] = textOf('/proc/stat').split('\n')[0].split(/\s+/)
  if (fields.length < 8) return undefined
  // Time of guests, which follows, is part of the user's (proc(5)).
  const ticks = fields.slice(0, 8).map(Number)
  const total = ticks.reduce((sum, one) => sum + one, 0)
  const [, , , idle, waiting, , , steal] = ticks
  return { total, busy: total - idle - waiting - steal, steal }
}

/**
 * Milliseconds since the start of the machine in which something that could run waited for a core
 * (`some` of the kernel's pressure stall information). Undefined where it does not tell.
 */
export function cpuPressureMs(): number | undefined {
  const total = /^some .*total=(\d+)/m.exec(textOf('/proc/pressure/cpu'))?.[1]
  return total === undefined ? undefined : Number(total) / 1000
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
