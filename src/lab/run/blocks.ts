import type { CellKey } from './record.ts'
import { seedOf, shuffled } from './seeds.ts'

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

export const cellName = ({ block, solution, profile }: CellKey): string =>
  `${solution} · ${profile} · block ${block}`
