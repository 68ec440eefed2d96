import { isDeepStrictEqual } from 'node:util'
import type { ResultSet } from './result-set.ts'
import { findCell } from './result-set.ts'
import { isControl, noiseFloor, pairedRatio, referenceOf } from './ratios.ts'
import type { Ratio } from './ratios.ts'
import { STACK } from '../run/solutions.ts'
import {
  isOrExtends,
  isSameTopology,
  ownSettings,
  parentOf,
  settingText,
} from './topology-settings.ts'

/** What a solution is made of, by its topology file, so that nobody takes its name for it. */
export interface Composition {
  readonly solution: string
  readonly topology: string
  /** The topology that it extends; absent: none. */
  readonly extends?: string
  /** Its own settings, those of its flags over those of its file: `postgres.poolSize = 8`. */
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
  const { topologies } = run.machine
  const reference = referenceOf(set)
  const compositions = run.solutions
    .filter(({ id }) => !isControl(id))
    .map(({ id, topology, flags, summary }) => {
      const parent = parentOf(topologies, topology)
      const changes = ownSettings(topologies, { topology, flags }).map(settingText)
      const composition = { solution: id, topology, changes, flags, summary }
      return parent === undefined ? composition : { ...composition, extends: parent }
    })
  const root = compositions.find(({ solution }) => solution === reference)
  const isChild = (child: Composition, parent: Composition): boolean => {
    if (child === parent) return false
    if (isSameTopology(topologies, child.topology, parent.topology)) return hasMore(child, parent)
    if (child.extends === undefined) return false
    const isUnder = isSameTopology(topologies, child.extends, parent.topology)
    return isUnder && isDeepStrictEqual(child.flags, parent.flags)
  }
  const named = (list: readonly Composition[]): string[] => list.map(({ solution }) => solution)
  if (root === undefined) return { ablation: [], stack: [], apart: [], compositions }
  return {
    ablation: named(compositions.filter(other => isChild(other, root))),
    stack: STACK.filter(id => compositions.some(({ solution }) => solution === id)),
    apart: named(
      compositions.filter(({ topology }) => !isOrExtends(topologies, topology, root.topology)),
    ),
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

/** The same topology with all flags of the other, and more. */
function hasMore(child: Composition, parent: Composition): boolean {
  const has = new Set(child.flags)
  return child.flags.length > parent.flags.length && parent.flags.every(flag => has.has(flag))
}
