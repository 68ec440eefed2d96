import type { KeyRing } from '../access/key-ring.ts'
import { RateLimits } from '../access/rate-limits.ts'
import type { Config } from '../config/schema.ts'
import { openAccess, type Access } from '../model/access.ts'
import type { Clock } from '../ports/clock.ts'
import type { Rates } from '../ports/rates.ts'

/** Who may come in and how much they may do, at every door. */
export interface NodeAccess {
  readonly open: Access | undefined
  readonly verify: (key: string) => Access | undefined
  readonly learn: (key: string) => Promise<void> | undefined
  readonly limits: RateLimits
}

export interface AccessParts {
  readonly ring: KeyRing
  readonly clock: Clock
  readonly rates: Rates
}

export function nodeAccess(
  { auth, ingest, limits }: Config,
  { ring, clock, rates }: AccessParts,
): NodeAccess {
  return {
    open: auth.mode === 'open' ? openAccess(ingest.tenant) : undefined,
    verify: key => ring.verify(key),
    learn: key => ring.learn(key),
    limits: new RateLimits({ ...limits, clock, rates }),
  }
}
