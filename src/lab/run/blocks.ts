import type { CellKey, Phases } from './record.ts'
import { seededRandom, seedOf, shuffled } from './seeds.ts'

export interface BlockPlan {
  readonly seed: number
  readonly blocks: number
  readonly solutions: readonly { readonly id: string }[]
  readonly profiles: readonly string[]
}

/**
 * Every cell once in each block, in a random order that the seed decides: what drifts on a machine
 * in the course of hours then meets all architectures alike.
 */
export function planBlocks({ seed, blocks, solutions, profiles }: BlockPlan): CellKey[][] {
  return Array.from({ length: blocks }, (_, index) => {
    const block = index + 1
    const cells = solutions.flatMap(solution =>
      profiles.map(profile => ({ block, solution: solution.id, profile })),
    )
    return shuffled(cells, seedOf(seed, 'order', block))
  })
}

/**
 * Of devices, payloads and arrival times of a step: the same for every architecture, others in every
 * block.
 */
export function stepSeed(
  seed: number,
  { block, profile }: CellKey,
  step: { phase: string; attempt: number },
): number {
  return seedOf(seed, block, profile, step.phase, step.attempt)
}

/**
 * Where a cell's ramp begins, requests a second: up to one step of the precision above `startRate`,
 * drawn anew for each cell. A search only ever tries rates on the grid that its first one fixes. On
 * the same grid in every block, equal results would look more exact than the precision they have
 * (dither: Schuchman, Dither signals and their effect on quantization noise, 1964).
 */
export function firstRate(seed: number, cell: CellKey, { startRate, precision }: Phases): number {
  const draw = seededRandom(seedOf(seed, 'first rate', cell.block, cell.solution, cell.profile))()
  return startRate * (1 + precision) ** draw
}

export const cellName = ({ block, solution, profile }: CellKey): string =>
  `${solution} · ${profile} · block ${block}`
