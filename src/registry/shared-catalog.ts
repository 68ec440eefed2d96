import { Refresher } from '../kit/refresher.ts'
import type { Device } from '../model/device.ts'
import type { Catalog, CatalogChanges, SeenDevice } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import { WeirError } from '../ports/errors.ts'
import { MarkedIds } from './marked-ids.ts'

/** What other processes change is known here this soon. */
const POLL_INTERVAL_MS = 1000
/** Reads that find nothing ask the catalog for news, all of them together, this often at most. */
const REFRESH_GAP_MS = 20
/** How long such a read waits for a catalog that does not answer. */
const REFRESH_PATIENCE_MS = 250
const CONTACTS_A_TELL = 10_000
/** Of a write that meets others' changes again and again. */
const MAX_TRIES = 50

export interface SharedCatalogOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  /** Of the catalog, before it was read. */
  readonly version: number
  /** Of its contacts that were read. */
  readonly contactsVersion: number
  /** Runs `work` when nothing else writes to the catalog. */
  readonly turn: <T>(work: () => Promise<T>) => Promise<T>
  readonly deviceAt: (id: number) => Device | undefined
  /** Whether the catalog does not have it yet, so that others cannot know it. */
  readonly isFresh: (id: number) => boolean
  readonly merge: (changes: CatalogChanges) => void
  readonly hear: (seen: readonly SeenDevice[]) => void
  /** The catalog answers. */
  readonly onAnswer: () => void
  /** Told of the first failure of several in a row. */
  readonly onError: (error: unknown) => void
}

/**
 * The catalog as several processes use it: follows what the others change, and tells them and hears
 * from them whose messages arrive. All of it is merged, so that the order in which processes learn
 * of things makes no difference once they know the same.
 */
export class SharedCatalog {
  readonly #options: SharedCatalogOptions
  /** Devices whose last contact the others do not know. */
  readonly #heard = new MarkedIds()
  #version: number
  #contactsVersion: number
  readonly #refresher: Refresher
  #isPolling = false
  #isFailing = false
  readonly #stop: () => void

  constructor(options: SharedCatalogOptions) {
    this.#options = options
    this.#version = options.version
    this.#contactsVersion = options.contactsVersion
    this.#refresher = new Refresher({
      gapMs: REFRESH_GAP_MS,
      patienceMs: REFRESH_PATIENCE_MS,
      ask: begin =>
        options.turn(() => {
          begin()
          return this.#follow()
        }),
    })
    this.#stop = options.clock.every(POLL_INTERVAL_MS, () => void this.#poll())
  }

  /** Everything that was changed up to it is known here. */
  get version(): number {
    return this.#version
  }

  /** Hot path: a message of the device has arrived here. */
  seen(id: number): void {
    this.#heard.add(id)
  }

  /** Another process has seen it later, and tells so. */
  seenElsewhere(id: number): void {
    this.#heard.drop(id)
  }

  /**
   * Runs `work`, which writes with `since`, on what the catalog has now; again when it meets a
   * conflict with something that another process changed meanwhile. Within a turn. Rejects as the
   * catalog does.
   */
  async upToDate<T>(work: (since: number) => Promise<T>): Promise<T> {
    await this.#follow()
    for (let tries = 1; ; tries++) {
      const since = this.#version
      try {
        return await work(since)
      } catch (error) {
        if (!(error instanceof WeirError) || error.kind !== 'conflict') throw error
        await this.#follow()
        if (this.#version === since || tries === MAX_TRIES) throw error
      }
    }
  }

  /**
   * For reads that find nothing: learns what the others had changed when it was called. Calls share
   * their questions, so that many cost little. Never rejects, and gives up after a short time.
   */
  refresh(): Promise<void> {
    return this.#refresher.refresh()
  }

  /** Tells the last contacts; what the catalog does not take is let go. */
  async close(): Promise<void> {
    this.#stop()
    await this.#options.turn(() => this.#tell()).catch(() => undefined)
  }

  async #poll(): Promise<void> {
    if (this.#isPolling) return
    this.#isPolling = true
    const { turn, onAnswer, onError } = this.#options
    try {
      await turn(() => this.#exchange())
      this.#isFailing = false
      onAnswer()
    } catch (error) {
      if (!this.#isFailing) onError(error)
      this.#isFailing = true
    } finally {
      this.#isPolling = false
    }
  }

  async #exchange(): Promise<void> {
    const { catalog, hear } = this.#options
    await this.#tell()
    // Asked before the changes: who is heard of is known when they are.
    const contacts = await catalog.contacts?.since(this.#contactsVersion)
    await this.#follow()
    if (contacts === undefined) return
    hear(contacts.seen)
    this.#contactsVersion = contacts.version
  }

  async #follow(): Promise<void> {
    const { catalog, merge } = this.#options
    for (;;) {
      const changes = await catalog.changesSince(this.#version)
      if (changes.version === this.#version) return
      merge(changes)
      this.#version = changes.version
    }
  }

  async #tell(): Promise<void> {
    const { catalog, deviceAt, isFresh } = this.#options
    const ids = this.#heard.take()
    for (let at = 0; at < ids.length; at += CONTACTS_A_TELL) {
      const some = ids.slice(at, at + CONTACTS_A_TELL)
      const seen: SeenDevice[] = []
      for (const id of some) {
        if (!this.#heard.clear(id)) continue
        const { tenant, id: name, lastSeenMs } = deviceAt(id) ?? {}
        if (isFresh(id)) this.#heard.add(id)
        else if (lastSeenMs !== undefined) seen.push({ tenant: tenant!, id: name!, lastSeenMs })
      }
      try {
        await catalog.contacts?.tell(seen)
      } catch (error) {
        for (const id of some) this.#heard.add(id)
        this.#heard.putBack(ids.slice(at + CONTACTS_A_TELL))
        throw error
      }
    }
  }
}
