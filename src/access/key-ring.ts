import { timingSafeEqual } from 'node:crypto'
import { Refresher } from '../kit/refresher.ts'
import type { Access } from '../model/access.ts'
import { keyEndMs, type Key } from '../model/key.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import { hashOfKey, idOfKey } from './key-text.ts'

export interface KeyRingOptions {
  readonly catalog: Pick<Catalog, 'capabilities' | 'keysSince' | 'touchKeys' | 'forgetKeys'>
  readonly clock: Clock
  /** Whose keys may see what concerns all tenants. */
  readonly operatorTenant: string
  /** Failures of the background; what is known stays in force and the next turn tries again. */
  readonly onError: (error: unknown) => void
}

/** Keys that other processes create or end are known this soon, well within the 5 s promised. */
const SYNC_INTERVAL_MS = 1000
/** How coarse "last used" is: a write to the catalog a key and interval at most. */
const USE_INTERVAL_MS = 60_000
const FORGET_INTERVAL_MS = 3_600_000
/** Unknown keys make the ring ask the catalog, all together, this often at most. */
const REFRESH_GAP_MS = 20
/** How long a request with an unknown key waits for a catalog that does not answer. */
const REFRESH_PATIENCE_MS = 250
/** How long ended keys stay in lists. */
const KEEP_ENDED_MS = 30 * 86_400_000

interface Entry {
  key: Key
  readonly hash: Buffer
  readonly access: { -readonly [K in keyof Access]: Access[K] }
  /** As presented; kept from its first use on, so that later ones need no hash. */
  text: string | undefined
  usedMs: number
}

/**
 * All keys, in memory, by their ids. Read from the catalog at start and then followed, so that a
 * key that any process creates or ends is known here within a second, and one that this process
 * ends at once (`take`).
 */
export class KeyRing {
  readonly #options: KeyRingOptions
  readonly #entries = new Map<string, Entry>()
  /** Good keys by what their clients send: one string a key. */
  readonly #presented = new Map<string, Entry>()
  #used = new Set<Entry>()
  #version = 0
  #syncing: Promise<void> | undefined
  #isFailing = false
  readonly #refresher = new Refresher({
    gapMs: REFRESH_GAP_MS,
    patienceMs: REFRESH_PATIENCE_MS,
    ask: begin => {
      begin()
      return this.#sync()
    },
  })
  readonly #stops: readonly (() => void)[]

  private constructor(options: KeyRingOptions) {
    this.#options = options
    const { clock, onError } = options
    const every = (ms: number, task: () => Promise<void>): (() => void) =>
      clock.every(ms, () => void task().catch(onError))
    this.#stops = [
      every(SYNC_INTERVAL_MS, () => this.#follow()),
      every(USE_INTERVAL_MS, () => this.#saveUse()),
      every(FORGET_INTERVAL_MS, () => this.#forget()),
    ]
  }

  /** The catalog stays the caller's to close. Rejects as the catalog does. */
  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const ring = new KeyRing(options)
    try {
      await ring.#forget()
      await ring.sync()
      return ring
    } catch (error) {
      for (const stop of ring.#stops) stop()
      throw error
    }
  }

  /** Of all tenants, ended ones too. */
  get size(): number {
    return this.#entries.size
  }

  /**
   * Hot: once a request. What the key allows; undefined for whatever is no key that works now,
   * without a word about which of the many ways it is wrong.
   */
  verify(text: string): Access | undefined {
    const entry = this.#presented.get(text) ?? this.#find(text)
    if (entry === undefined) return undefined
    const nowMs = this.#options.clock.nowMs()
    if (nowMs >= entry.access.endsAtMs) return undefined
    if (nowMs - entry.usedMs >= USE_INTERVAL_MS) {
      entry.usedMs = nowMs
      this.#used.add(entry)
    }
    return entry.access
  }

  /** Keys of a tenant, newest first. */
  list(tenant: string): Key[] {
    const keys: Key[] = []
    for (const { key, usedMs } of this.#entries.values()) {
      if (key.tenant === tenant) keys.push(usedMs > 0 ? { ...key, lastUsedMs: usedMs } : key)
    }
    return keys.sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1))
  }

  find(tenant: string, id: string): Key | undefined {
    const key = this.#entries.get(id)?.key
    return key?.tenant === tenant ? key : undefined
  }

  /** A key as the catalog has it now: created, or ended. In force at once. */
  take(key: Key): void {
    const known = this.#entries.get(key.id)
    if (known !== undefined) {
      // What was read before this process ended the key may come after it: ends only come nearer.
      if (keyEndMs(key) > known.access.endsAtMs) return
      known.key = key
      known.access.endsAtMs = keyEndMs(key)
      if (key.revokedAtMs !== undefined) this.#unlearn(known)
      return
    }
    const { tenant, scopes, device, limits, id } = key
    const isOperator = tenant === this.#options.operatorTenant
    this.#entries.set(id, {
      ...{ key, hash: Buffer.from(key.hash, 'hex'), text: undefined },
      access: { tenant, scopes, device, keyId: id, isOperator, limits, endsAtMs: keyEndMs(key) },
      usedMs: key.lastUsedMs ?? 0,
    })
  }

  /** Learns what other processes have done until now, where they issue keys too. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#options.catalog.capabilities.isShared) await this.#refresher.refresh()
  }

  /**
   * Where another process may have issued the key that is not known here: resolves when that would
   * be known. Undefined where that cannot be, and nobody needs to wait.
   */
  learn(text: string): Promise<void> | undefined {
    if (!this.#options.catalog.capabilities.isShared) return undefined
    const id = idOfKey(text)
    return id === undefined || this.#entries.has(id) ? undefined : this.refresh()
  }

  /** Learns what other processes have changed. */
  sync(): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => (this.#syncing = undefined))
    return this.#syncing
  }

  /** Notes the last uses in the catalog; rejects when it does not take them. */
  async close(): Promise<void> {
    for (const stop of this.#stops) stop()
    await this.#saveUse()
  }

  /** Of several failures in a row the first is told. */
  async #follow(): Promise<void> {
    try {
      await this.sync()
      this.#isFailing = false
    } catch (error) {
      const isFirst = !this.#isFailing
      this.#isFailing = true
      if (isFirst) throw error
    }
  }

  async #sync(): Promise<void> {
    const { version, keys } = await this.#options.catalog.keysSince(this.#version)
    for (const key of keys) this.take(key)
    // Two may be under way, and end in the other order.
    this.#version = Math.max(this.#version, version)
  }

  #find(text: string): Entry | undefined {
    const id = idOfKey(text)
    const entry = id === undefined ? undefined : this.#entries.get(id)
    if (entry === undefined) return undefined
    if (!timingSafeEqual(entry.hash, Buffer.from(hashOfKey(text), 'hex'))) return undefined
    if (entry.access.endsAtMs <= this.#options.clock.nowMs()) return undefined
    entry.text = text
    this.#presented.set(text, entry)
    return entry
  }

  #unlearn(entry: Entry): void {
    if (entry.text !== undefined) this.#presented.delete(entry.text)
    entry.text = undefined
  }

  async #saveUse(): Promise<void> {
    if (this.#used.size === 0) return
    const used = this.#used
    this.#used = new Set()
    try {
      const rows = Array.from(used, ({ key, usedMs }) => ({ id: key.id, lastUsedMs: usedMs }))
      await this.#options.catalog.touchKeys(rows)
    } catch (error) {
      for (const entry of used) this.#used.add(entry)
      throw error
    }
  }

  async #forget(): Promise<void> {
    const { catalog, clock } = this.#options
    const beforeMs = clock.nowMs() - KEEP_ENDED_MS
    await catalog.forgetKeys(beforeMs)
    for (const [id, entry] of this.#entries) {
      const { revokedAtMs, expiresAtMs } = entry.key
      if (Math.min(revokedAtMs ?? Infinity, expiresAtMs ?? Infinity) >= beforeMs) continue
      this.#unlearn(entry)
      this.#entries.delete(id)
    }
  }
}
