import type { KeyLimits, Scope } from './access.ts'

/** What is kept of a key; the key itself is not. Times are milliseconds since 1970. */
export interface Key {
  /** The part of the key that is no secret: for look-ups, lists and logs. Unique over all tenants. */
  readonly id: string
  readonly tenant: string
  /** SHA-256 of the whole key, in hex. */
  readonly hash: string
  readonly name: string | undefined
  readonly scopes: readonly Scope[]
  /** The only device that it may write and read. */
  readonly device: string | undefined
  readonly limits: KeyLimits
  readonly createdAtMs: number
  readonly expiresAtMs: number | undefined
  readonly revokedAtMs: number | undefined
  /** How long it was issued for, however near its end has come since; undefined: for ever. */
  readonly lifetimeMs: number | undefined
  /** Written behind, some minutes coarse. */
  readonly lastUsedMs: number | undefined
}

export type KeyState = 'active' | 'expired' | 'revoked'

export function keyState({ revokedAtMs, expiresAtMs }: Key, nowMs: number): KeyState {
  if (revokedAtMs !== undefined) return 'revoked'
  return expiresAtMs !== undefined && expiresAtMs <= nowMs ? 'expired' : 'active'
}

/** When it stops to work, as far as is known now. */
export function keyEndMs({ revokedAtMs, expiresAtMs }: Key): number {
  return revokedAtMs === undefined ? (expiresAtMs ?? Infinity) : 0
}
