import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Keys, type IssuedKey, type NewKey } from '../access/keys.ts'
import type { Config } from '../config/schema.ts'
import type { Key } from '../model/key.ts'
import { systemClock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import { catalogs } from './engines.ts'
import { atServers } from './servers.ts'

/** Keys without a node: straight in the catalog, where running nodes look every second. */
export interface KeyDesk {
  create(input: NewKey): Promise<IssuedKey>
  /** Of one tenant, or of all; newest first. */
  list(tenant?: string): Promise<Key[]>
  /** @throws WeirError `not_found`; `conflict` when the key has ended. */
  rotate(id: string, overlapMs: number): Promise<IssuedKey & { readonly old: Key }>
  /** @throws WeirError `not_found`. */
  revoke(id: string): Promise<Key>
}

/** How long a busy catalog is tried again. */
const PATIENCE_MS = 5000
const RETRY_MS = 50

/** Opens the catalog for `work` alone; a node may have it open too. */
export function atKeyDesk<T>(config: Config, work: (desk: KeyDesk) => Promise<T>): Promise<T> {
  return atServers(config, [config.catalog.engine], complete => atCatalog(complete, work))
}

async function atCatalog<T>(config: Config, work: (desk: KeyDesk) => Promise<T>): Promise<T> {
  mkdirSync(config.data, { recursive: true })
  const clock = systemClock
  const catalog = await catalogs[config.catalog.engine]({ config, clock })
  const keys = new Keys({ catalog, clock, maxKeys: config.auth.maxKeys })
  const all = async (): Promise<readonly Key[]> =>
    (await patiently(() => catalog.keysSince(0))).keys
  const find = async (id: string): Promise<Key> => {
    const key = (await all()).find(one => one.id === id)
    if (key === undefined) throw new WeirError('not_found', `there is no key ${id}`)
    return key
  }
  try {
    return await work({
      create: input => patiently(() => keys.create(input)),
      list: async tenant =>
        (await all())
          .filter(key => tenant === undefined || key.tenant === tenant)
          .sort((a, b) => b.createdAtMs - a.createdAtMs),
      async rotate(id, overlapMs) {
        const old = await find(id)
        return { ...(await patiently(() => keys.rotate(old, overlapMs))), old }
      },
      async revoke(id) {
        const { tenant } = await find(id)
        return (await patiently(() => keys.revoke(tenant, id)))!
      },
    })
  } finally {
    await catalog.close()
  }
}

/** A node that writes at this moment is no reason to fail. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const isBusy = error instanceof WeirError && error.kind === 'retryable'
      if (!isBusy || error.code === 'disk_full' || performance.now() > deadlineMs) throw error
    }
    await sleep(RETRY_MS)
  }
}
