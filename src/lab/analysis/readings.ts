import { isDeepStrictEqual } from 'node:util'
import type { ResultSet } from './result-set.ts'
import { findCell } from './result-set.ts'
import { isControl, noiseFloor, pairedRatio, referenceOf } from './ratios.ts'
import type { Ratio } from './ratios.ts'
import { STACK } from '../run/solutions.ts'

/** What a solution is made of, by its topology file, so that nobody takes its name for it. */
export interface Composition {
  readonly solution: string
  readonly topology: string
  /** The topology that it extends; absent: none. */
  readonly extends?: string
  /** Its own settings, with those of its flags: `postgres.poolSize = 8`. */
  readonly changes: readonly string[]
  /** Of the solution, besides its topology; they are among `changes`. */
  readonly flags: readonly string[]
  readonly summary: string
}

/** Two ways to read the same results. */
export interface Readings {
  /** Of the reference and one change: solutions that extend it and nothing else. */
  readonly ablation: readonly string[]
  /**
   * Each with what the ones before it have: what a team would go through. Of the run's solutions
   * only, so that with the table's own it is `baseline`, `tune`, `cluster`.
   */
  readonly stack: readonly string[]
  /** Solutions that neither extend the reference nor are it: other compositions altogether. */
  readonly apart: readonly string[]
  readonly compositions: readonly Composition[]
}

export function readingsOf(set: ResultSet): Readings {
  const { run } = set
  const reference = referenceOf(set)
  const compositions = run.solutions
    .filter(({ id }) => !isControl(id))
    .map(({ id, topology, flags, summary }) => {
      const text = topologyText(run.machine.topologies, topology)
      const settings = settingsOf(text ?? '')
      const parent = settings.find(({ path }) => path === 'extends')?.value
      const own = settings.filter(({ path }) => path !== 'extends')
      const changes = [...own.map(({ path, value }) => `${path} = ${value}`), ...flags]
      const composition = { solution: id, topology, changes, flags, summary }
      return parent === undefined ? composition : { ...composition, extends: parent }
    })
  const root = compositions.find(({ solution }) => solution === reference)
  const isChild = (child: Composition, parent: Composition): boolean => {
    if (child === parent) return false
    if (child.topology === parent.topology) return hasMore(child, parent)
    return child.extends === parent.topology && isDeepStrictEqual(child.flags, parent.flags)
  }
  const named = (list: readonly Composition[]): string[] => list.map(({ solution }) => solution)
  if (root === undefined) return { ablation: [], stack: [], apart: [], compositions }
  const under = descendants(root, compositions, isChild)
  return {
    ablation: named(compositions.filter(other => isChild(other, root))),
    stack: STACK.filter(id => compositions.some(({ solution }) => solution === id)),
    apart: named(compositions.filter(other => other !== root && !under.has(other))),
    compositions,
  }
}

/** Ratios of each of the stack to the one before it, by profile. */
export function stackRatios(set: ResultSet, stack: readonly string[]): Ratio[] {
  const noise = noiseFloor(set)?.share
  return set.run.profiles.flatMap(profile =>
    stack.slice(1).flatMap((solution, i) => {
      const above = findCell(set, solution, profile)
      const below = findCell(set, stack[i], profile)
      if (above === undefined || below === undefined) return []
      return pairedRatio(above, below, noise) ?? []
    }),
  )
}

type IsChild = (child: Composition, parent: Composition) => boolean

/** The same topology with all flags of the other, and more. */
function hasMore(child: Composition, parent: Composition): boolean {
  const has = new Set(child.changes)
  return child.changes.length > parent.changes.length && parent.changes.every(flag => has.has(flag))
}

function descendants(
  root: Composition,
  all: readonly Composition[],
  isChild: IsChild,
): Set<Composition> {
  const found = new Set([root])
  for (const parent of found) {
    for (const child of all) if (isChild(child, parent)) found.add(child)
  }
  return found
}

/** By the name of the solution's topology, or of its file. */
export function topologyText(
  topologies: Readonly<Record<string, string>>,
  name: string,
): string | undefined {
  const found = Object.keys(topologies).find(
    key => key === name || key === `${name}.yaml` || key.endsWith(`/${name}.yaml`),
  )
  return found === undefined ? undefined : topologies[found]
}

/** Lines `key: value` of a topology file with the path to them; for print, not for use. */
function settingsOf(text: string): { path: string; value: string }[] {
  const settings: { path: string; value: string }[] = []
  const parents: { indent: number; key: string }[] = []
  for (const line of text.split('\n')) {
    const [, space, key, rest] = /^( *)([\w.-]+):(.*)$/.exec(line) ?? []
    if (key === undefined) continue
    const indent = space.length
    while (parents.length > 0 && parents[parents.length - 1].indent >= indent) parents.pop()
    const value = rest.replace(/(^|\s)#.*$/, '').trim()
    const path = [...parents.map(parent => parent.key), key].join('.')
    if (value === '') parents.push({ indent, key })
    else settings.push({ path, value })
  }
  return settings
}
