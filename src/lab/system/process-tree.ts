import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Role, SystemProcess } from './system.ts'

/** Whether processes can be looked at here: only Linux shows them in /proc. */
export const HAS_PROC = existsSync('/proc/self/stat')

export interface ProcessRoots {
  /** Of `weir up`. */
  readonly node: number
  /** Of the servers it uses, where they run on this machine. */
  readonly servers: readonly SystemProcess[]
}

/** All processes of a composition that run now. What started it is no part of it. */
export function systemProcesses({ node, servers }: ProcessRoots): SystemProcess[] {
  const tree = childrenByParent()
  const workers = (tree.get(node) ?? []).map(pid => ({ pid, role: roleOfWorker(pid) }))
  const root: SystemProcess = { pid: node, role: workers.length === 0 ? 'api' : 'supervisor' }
  return [root, ...workers, ...servers].flatMap(({ pid, role }) =>
    (pid === node ? [pid] : descendants(pid, tree)).map(one => ({ pid: one, role })),
  )
}

/**
 * A worker process calls itself `weir gateway-1` or `weir processor-1` when it has begun. Of one that has
 * ended and was not waited for, the kernel still has the first 15 characters.
 */
function roleOfWorker(pid: number): Role {
  return textOf(`/proc/${pid}/comm`).startsWith('weir processor') ? 'consumer' : 'api'
}

function descendants(pid: number, tree: ReadonlyMap<number, readonly number[]>): number[] {
  return [pid, ...(tree.get(pid) ?? []).flatMap(child => descendants(child, tree))]
}

function childrenByParent(): Map<number, number[]> {
  const tree = new Map<number, number[]>()
  if (!HAS_PROC) return tree
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = parentOf(textOf(`/proc/${name}/stat`))
    if (parent === undefined) continue
    const children = tree.get(parent)
    if (children === undefined) tree.set(parent, [Number(name)])
    else children.push(Number(name))
  }
  return tree
}

/**
 * `pid (name) state parent …`; a name may have spaces and brackets (proc(5)). What has ended is part of
 * the tree until its parent has waited for it: until then its CPU is counted nowhere else.
 */
function parentOf(stat: string): number | undefined {
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return stat === '' || state === 'X' ? undefined : Number(parent)
}

/** Empty where the process has ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
