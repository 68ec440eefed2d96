import type { Subscription } from '@nats-io/transport-node'
import { WeirError } from '../../ports/errors.ts'
import type { GroupState } from './group-state.ts'
import type { NatsLink } from './link.ts'
import type { Names } from './names.ts'

export interface MembershipOptions {
  readonly link: NatsLink
  readonly names: Names
  readonly state: GroupState
  readonly group: string
  /** This process; no other has the same. */
  readonly id: string
  readonly partitions: number
  /** Who has said nothing for so long has no partitions any more. */
  readonly leaseMs: number
  /** This process has got a partition. A rejection stops the membership. */
  readonly onAssigned: (partitions: readonly number[]) => Promise<void>
  /** It is about to give some back: nothing of them may be delivered when this has resolved. */
  readonly onRevoked: (partitions: readonly number[]) => Promise<void>
  /** What was held back while it was late may be delivered. */
  readonly onResumed: () => void
  readonly onFailure: (error: unknown) => void
}

const BEATS_PER_LEASE = 5

/**
 * Divides the partitions of a log among the processes of a group, without anybody in charge.
 *
 * Every member tells the others that it lives, several times a lease, by messages that no stream
 * keeps. All sort the members that they hear by name, and partition `p` is wanted by member
 * `p modulo members`. Who does not want what it has gives it back; who wants it takes it when it is
 * free, or when its holder has been silent for a lease, by a conditional write: of two that
 * disagree about who is there, only one gets it. Nobody compares clocks: silence is measured by
 * who listens.
 *
 * A member that cannot say that it lives stops delivering before others take its partitions. One
 * that was suspended may deliver a little of what another has already: the store skips it by its
 * position.
 */
export class Membership {
  readonly #options: MembershipOptions
  readonly #all: readonly number[]
  readonly #held = new Set<number>()
  /** When each other member was last heard, by `performance.now()`. */
  readonly #heard = new Map<string, number>()
  readonly #ends: (() => void)[] = []
  #saidAt = -Infinity
  #turn: Promise<void> | undefined
  #isDirty = false
  #isClosed = false
  #settled: (() => void) | undefined
  /** Resolves when this process has all partitions that it wants. */
  readonly settled: Promise<void>

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#all = Array.from({ length: options.partitions }, (_, partition) => partition)
    const { link, names, group, leaseMs, state } = options
    const { promise, resolve } = Promise.withResolvers<void>()
    this.settled = promise
    this.#settled = resolve
    const heartbeat = setInterval(() => this.#beat(), leaseMs / BEATS_PER_LEASE)
    heartbeat.unref()
    const subscription: Subscription = link.connection.subscribe(names.members(group), {
      callback: (error, message) => {
        if (error === null) this.#hear(message.json())
      },
    })
    this.#ends.push(
      () => clearInterval(heartbeat),
      () => link.isUp && subscription.unsubscribe(),
      state.onChange(() => this.#look()),
      link.onUp(() => this.#comeBack()),
    )
    this.#beat()
  }

  /** Whether others may have taken its partitions: nothing may be delivered then. */
  get isLate(): boolean {
    return performance.now() - this.#saidAt > this.#options.leaseMs
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const end of this.#ends) end()
    await this.#turn
    await this.#giveBackAllBut([])
    this.#say({ id: this.#options.id, leaves: true })
    this.#settled?.()
  }

  #beat(): void {
    // This process was suspended, and what the others said meanwhile waits to be read.
    if (this.isLate) this.#hearAll()
    this.#say({ id: this.#options.id })
    this.#look()
  }

  #hearAll(): void {
    const now = performance.now()
    for (const id of this.#heard.keys()) this.#heard.set(id, now)
  }

  #say(word: Word): void {
    const { link, names, group } = this.#options
    if (!link.isUp) return
    const wasLate = this.isLate && this.#held.size > 0
    link.connection.publish(names.members(group), JSON.stringify(word))
    if (!wasLate) this.#saidAt = performance.now()
  }

  #hear({ id, leaves }: Word): void {
    if (id === this.#options.id) return
    const isNew = !this.#heard.has(id)
    if (leaves === true) this.#heard.delete(id)
    else this.#heard.set(id, performance.now())
    if (isNew || leaves === true) this.#look()
  }

  /** While the connection was down nobody could be heard. */
  #comeBack(): void {
    this.#hearAll()
    this.#beat()
  }

  #look(): void {
    if (this.#isClosed) return
    this.#isDirty = true
    this.#turn ??= this.#turns()
      .catch((error: unknown) => {
        // Whatever the server did not answer, the next beat asks again.
        if (error instanceof WeirError && error.kind !== 'retryable') this.#options.onFailure(error)
      })
      .finally(() => (this.#turn = undefined))
  }

  async #turns(): Promise<void> {
    while (this.#isDirty && !this.#isClosed) {
      this.#isDirty = false
      if (!this.#options.link.isUp) return
      await this.#divide()
    }
  }

  async #divide(): Promise<void> {
    const { id, onAssigned } = this.#options
    if (this.#held.size > 0 && this.isLate) await this.#renew()
    await this.#letGo([...this.#held].filter(partition => this.#ownerOf(partition) !== id))
    const members = this.#living()
    const own = members.indexOf(id)
    const wanted = this.#all.filter(partition => partition % members.length === own)
    await this.#giveBackAllBut(wanted)
    const got: number[] = []
    for (const partition of wanted) {
      if (this.#held.has(partition)) continue
      if (await this.#take(partition, members)) got.push(partition)
    }
    if (got.length > 0) {
      for (const partition of got) this.#held.add(partition)
      await onAssigned(got)
    }
    if (wanted.every(partition => this.#held.has(partition))) this.#settled?.()
  }

  /** It was silent for a lease: perhaps its partitions are another's by now. */
  async #renew(): Promise<void> {
    const { onResumed, state, names, group, id } = this.#options
    const lost: number[] = []
    for (const partition of this.#held) {
      const isOwn = this.#ownerOf(partition) === id
      if (!isOwn || !(await state.swap(names.lease(group, partition), id))) lost.push(partition)
    }
    await this.#letGo(lost)
    this.#saidAt = performance.now()
    onResumed()
  }

  /** Nothing of them is delivered any more. */
  async #letGo(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return
    await this.#options.onRevoked(partitions)
    for (const partition of partitions) this.#held.delete(partition)
  }

  /** This process and those that were heard within a lease, sorted. */
  #living(): string[] {
    const { id, leaseMs } = this.#options
    const now = performance.now()
    for (const partition of this.#all) {
      const owner = this.#ownerOf(partition)
      if (owner === undefined || owner === id || this.#heard.has(owner)) continue
      // Whoever has a partition is taken for alive until it was silent for a lease.
      this.#heard.set(owner, now)
    }
    const members = [id]
    for (const [other, at] of this.#heard) if (now - at <= leaseMs) members.push(other)
    return members.sort()
  }

  #ownerOf(partition: number): string | undefined {
    const { state, names, group } = this.#options
    const owner = state.get(names.lease(group, partition))
    return typeof owner === 'string' && owner !== '' ? owner : undefined
  }

  async #take(partition: number, members: readonly string[]): Promise<boolean> {
    const { id, state, names, group } = this.#options
    const owner = this.#ownerOf(partition)
    if (owner !== undefined && owner !== id && members.includes(owner)) return false
    return state.swap(names.lease(group, partition), id)
  }

  /** Also those that are still its own because nobody could be told: others wait for them. */
  async #giveBackAllBut(wanted: readonly number[]): Promise<void> {
    const { state, names, group, id } = this.#options
    await this.#letGo([...this.#held].filter(partition => !wanted.includes(partition)))
    for (const partition of this.#all) {
      if (wanted.includes(partition) || this.#ownerOf(partition) !== id) continue
      // What cannot be said now is said at the next beat; at the end silence says it.
      await state.swap(names.lease(group, partition), '').catch(() => false)
    }
  }
}

interface Word {
  readonly id: string
  readonly leaves?: boolean
}
