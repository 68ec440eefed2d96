import { SCOPES, type KeyLimits, type Scope } from '../model/access.ts'
import { keyState, type Key } from '../model/key.ts'
import { deviceIdProblem, nameProblem } from '../model/names.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import type { KeyRing } from './key-ring.ts'
import { chosenKeyProblem, hashOfKey, idOfChosen, newKeyText } from './key-text.ts'

export interface NewKey {
  readonly tenant: string
  readonly scopes: readonly string[]
  readonly device?: string | undefined
  readonly name?: string | undefined
  readonly limits?: KeyLimits | undefined
  /** Milliseconds from now. */
  readonly expiresInMs?: number | undefined
  /** A key that the client has already, such as the access token of a ThingsBoard device. */
  readonly chosen?: string | undefined
}

export interface IssuedKey {
  readonly key: Key
  /** The key itself, which nobody can ask for again. */
  readonly text: string
}

export interface KeysOptions {
  readonly catalog: Pick<Catalog, 'createKey' | 'endKey'>
  readonly clock: Clock
  /** Of this process; absent in a command, where running nodes find out from the catalog. */
  readonly ring?: KeyRing
  /** Keys of all tenants, those that ended within the last 30 days too. */
  readonly maxKeys: number
}

/**
 * Issues and ends keys. What it promises is in the catalog when the promise resolves, and in force
 * in this process; other processes follow within a second or two.
 */
export class Keys {
  readonly #options: KeysOptions

  constructor(options: KeysOptions) {
    this.#options = options
  }

  /** @throws WeirError `rejected` (the message names the field), `conflict`, the catalog's. */
  async create(input: NewKey): Promise<IssuedKey> {
    const { catalog, clock, ring, maxKeys } = this.#options
    mustBeGood(input)
    if ((ring?.size ?? 0) >= maxKeys) {
      throw new WeirError('overloaded', `there are ${maxKeys} keys, the most allowed`, {
        limit: 'auth.maxKeys',
      })
    }
    const { chosen, expiresInMs } = input
    const { id, text } =
      chosen === undefined ? newKeyText() : { id: idOfChosen(chosen), text: chosen }
    const nowMs = clock.nowMs()
    const key: Key = {
      ...{ id, tenant: input.tenant, hash: hashOfKey(text), name: input.name },
      scopes: SCOPES.filter(scope => input.scopes.includes(scope)),
      device: input.device,
      limits: input.limits ?? {},
      createdAtMs: nowMs,
      expiresAtMs: expiresInMs === undefined ? undefined : nowMs + expiresInMs,
      ...{ revokedAtMs: undefined, lastUsedMs: undefined, lifetimeMs: expiresInMs },
    }
    await catalog.createKey(key)
    ring?.take(key)
    return { key, text }
  }

  /**
   * A new key with the same rights; the old one works for `overlapMs` more, so that its holders can
   * change over.
   *
   * @throws WeirError `conflict` when it has ended, the catalog's.
   */
  async rotate(old: Key, overlapMs: number): Promise<IssuedKey> {
    const { catalog, clock, ring } = this.#options
    const nowMs = clock.nowMs()
    const state = keyState(old, nowMs)
    if (state !== 'active') throw new WeirError('conflict', `the key ${old.id} is ${state}`)
    // As long a life as the old one was given: its end may be that of an overlap.
    const { tenant, scopes, device, name, limits, lifetimeMs: expiresInMs } = old
    const issued = await this.create({ tenant, scopes, device, name, limits, expiresInMs })
    const how = overlapMs > 0 ? 'expire' : 'revoke'
    const ended = await catalog.endKey(tenant, old.id, { how, atMs: nowMs + overlapMs })
    if (ended !== undefined) ring?.take(ended)
    return issued
  }

  /** Ends a key for good; undefined when the tenant has none of that id. Safe to repeat. */
  async revoke(tenant: string, id: string): Promise<Key | undefined> {
    const { catalog, clock, ring } = this.#options
    const ended = await catalog.endKey(tenant, id, { how: 'revoke', atMs: clock.nowMs() })
    if (ended !== undefined) ring?.take(ended)
    return ended
  }
}

function mustBeGood({ tenant, scopes, device, name, chosen, limits, expiresInMs }: NewKey): void {
  refuse('tenant', deviceIdProblem(tenant))
  if (scopes.length === 0) refuse('scopes', 'must not be empty')
  for (const scope of scopes) {
    if (SCOPES.includes(scope as Scope)) continue
    refuse('scopes', `must be of ${SCOPES.join(', ')}; ${JSON.stringify(scope)} is none of them`)
  }
  if (device !== undefined) {
    refuse('device', deviceIdProblem(device))
    if (scopes.includes('admin')) refuse('scopes', 'must not have admin for a key of one device')
  }
  if (name !== undefined) refuse('name', nameProblem(name))
  if (chosen !== undefined) refuse('token', chosenKeyProblem(chosen))
  if (expiresInMs !== undefined && !(expiresInMs > 0)) refuse('expires', 'must be in the future')
  for (const [limit, value] of Object.entries(limits ?? {}) as [string, number][]) {
    if (!(Number.isSafeInteger(value) && value >= 0)) refuse(limit, 'must be a whole number')
  }
}

function refuse(field: string, problem: string | undefined): void {
  if (problem !== undefined) throw new WeirError('rejected', `${field} ${problem}`)
}
