import type { KeyRing } from '../access/key-ring.ts'
import { RateLimits } from '../access/rate-limits.ts'
import { parseAddress } from '../config/address.ts'
import type { Config } from '../config/schema.ts'
import { foreignPages, type IsForeign } from '../kit/foreign-pages.ts'
import { openAccess, type Access } from '../model/access.ts'
import type { Clock } from '../ports/clock.ts'
import type { Rates } from '../ports/rates.ts'

/** Who may come in and how much they may do, at every door. */
export interface NodeAccess {
  readonly open: Access | undefined
  readonly isForeign: IsForeign | undefined
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
  { auth, http, ingest, insecure, limits }: Config,
  { ring, clock, rates }: AccessParts,
): NodeAccess {
  const isOpen = auth.mode === 'open'
  // Beyond this machine it has names that it does not know.
  const names = insecure ? undefined : [parseAddress(http.address)?.host ?? '']
  return {
    open: isOpen ? openAccess(ingest.tenant) : undefined,
    // A page of another site has no key: where one is asked for, that is enough.
    isForeign: isOpen ? foreignPages(names) : undefined,
    verify: key => ring.verify(key),
    learn: key => ring.learn(key),
    limits: new RateLimits({ ...limits, clock, rates }),
  }
}
