import type { ServerHealth } from '../ports/server-health.ts'

type Uses = Readonly<Record<string, { health?(): ServerHealth } | undefined>>

/** The servers that this node can go without, by what they are for. */
export function healthOf(uses: Uses): () => ReadonlyMap<string, ServerHealth> {
  return () => {
    const health = new Map<string, ServerHealth>()
    for (const [use, engine] of Object.entries(uses)) {
      const found = engine?.health?.()
      if (found !== undefined) health.set(use, found)
    }
    return health
  }
}

/** For `/ready`: people are told, and Weir goes on without. */
export function unreachable(health: ReadonlyMap<string, ServerHealth>): string[] {
  return [...health].flatMap(([use, { isUp, problem }]) =>
    isUp ? [] : [`Redis (${use}) is not used: ${problem ?? 'it does not answer'}`],
  )
}
