import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { RunParts } from '../lab/run/parts.ts'
import { solutionsNamed } from '../lab/run/solutions.ts'
import type { Solution } from '../lab/system/solution.ts'
import type { SystemHouse } from '../lab/system/system.ts'
import { LabUsageError } from './lab-flags.ts'

/** What a command of the lab measures: a topology that it starts, or what runs at an address. */
export type LabTarget = { readonly url: string } | { readonly solution: Solution }

/** @throws LabUsageError */
export function targetOf({ topology, url }: { topology?: string; url?: string }): LabTarget {
  if (url === undefined) {
    try {
      return { solution: solutionsNamed([topology ?? 'embedded'])[0] }
    } catch (error) {
      throw new LabUsageError((error as Error).message, { cause: error })
    }
  }
  if (topology !== undefined) throw new LabUsageError('--topology and --url exclude each other')
  if (!URL.canParse(url) || new URL(url).protocol !== 'http:') {
    throw new LabUsageError(`--url must be an http:// address, not "${url}"`)
  }
  const { pathname, search, hash } = new URL(url)
  if (`${pathname}${search}${hash}` !== '/') {
    throw new LabUsageError(`--url must be http://HOST:PORT without a path, not "${url}"`)
  }
  return { url: url.replace(/\/$/, '') }
}

export function solutionOf(target: LabTarget): Solution {
  if ('solution' in target) return target.solution
  return { id: target.url, topology: '', flags: [], summary: 'a system that runs already' }
}

interface TargetContext {
  readonly parts: RunParts
  readonly key: string | undefined
  /** Where the data of a topology goes. */
  readonly cwd: string
  readonly report: (line: string) => void
}

/**
 * Opens the house of a topology for the time of `use`. What runs already is neither started nor
 * stopped, and keeps what it is sent.
 *
 * @throws LabUsageError when the topology cannot run here.
 */
export async function onTarget<T>(
  target: LabTarget,
  { parts, key, cwd, report }: TargetContext,
  use: (house: Pick<SystemHouse, 'start'>) => Promise<T>,
): Promise<T> {
  if ('url' in target) {
    const { urlHouse } = await import('../lab/system/url-system.ts')
    return use(urlHouse(target.url, key))
  }
  // Beside what the user works on, so on the disk that their data would be on.
  const directory = mkdtempSync(join(cwd, '.weir-lab-'))
  let house: SystemHouse | undefined
  try {
    const { solution } = target
    house = await parts.openHouse({ directory, solutions: [solution], report })
    const reason = (await house.missing([solution])).get(solution.id)
    if (reason !== undefined) throw new LabUsageError(`${solution.id} cannot run: ${reason}`)
    return await use(house)
  } finally {
    await house?.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
