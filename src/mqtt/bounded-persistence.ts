import { FilterTree } from './filter-tree.ts'

export interface PersistenceLimits {
  readonly maxSessions: number
  readonly maxQueuedMessages: number
  readonly maxQueuedBytes: number
  readonly maxRetainedBytes: number
}

interface StoredPacket {
  readonly topic: string
  readonly payload: Uint8Array
  /** aedes' number of the message. */
  readonly brokerCounter: number
}

/** What was sent to a client and is not completed: the message, or its PUBREL instead (QoS 2). */
interface SentPacket {
  readonly cmd: string
  readonly messageId: number
  readonly topic?: string
  readonly payload?: Uint8Array
  brokerId?: string
  brokerCounter?: number
}

interface SessionFilter {
  readonly clientId: string
  readonly topic: string
}

interface FilterWithQos {
  readonly topic: string
  readonly qos: number
}

interface ClientRef {
  readonly id: string
}

/** The part of aedes' persistence that is bounded here. */
export interface Persistence {
  storeRetained(packet: StoredPacket): Promise<void>
  addSubscriptions(client: ClientRef, filters: readonly FilterWithQos[]): Promise<void>
  removeSubscriptions(client: ClientRef, filters: readonly string[]): Promise<void>
  cleanSubscriptions(client: ClientRef): Promise<void>
  outgoingEnqueueCombi(filters: readonly SessionFilter[], packet: StoredPacket): Promise<void>
  outgoingUpdate(client: ClientRef, packet: SentPacket): Promise<void>
  outgoingClearMessageId(
    client: ClientRef,
    packet: { readonly messageId?: number },
  ): Promise<object | undefined>
}

/** Bytes that a kept packet takes beside its topic and payload. */
const PACKET_OVERHEAD = 300

/**
 * Bounds aedes' memory persistence, in place: it keeps everything for ever by itself. It knows too
 * whether a topic is wanted by a client that is away.
 */
export class BoundedPersistence {
  /** Messages that were not retained because of the bound. */
  notRetained = 0
  /** Filters of QoS 1 and 2 of the sessions that are kept, connected or not. */
  readonly filters = new FilterTree<string>()
  readonly #sessions = new Map<string, Set<string>>()
  readonly #queues = new Map<string, number>()
  #queuedBytes = 0
  /** Bytes of the queued messages that were sent, by client and message id. */
  readonly #sentBytes = new Map<string, number>()
  /** The clients whose queue was full for the message last queued. */
  readonly #skipped = new Set<string>()
  #skippedOf = 0
  readonly #retained = new Map<string, number>()
  #retainedBytes = 0
  readonly #limits: PersistenceLimits

  constructor(persistence: Persistence, limits: PersistenceLimits) {
    this.#limits = limits
    this.#boundRetained(persistence)
    this.#boundSessions(persistence)
    this.#boundQueues(persistence)
  }

  /**
   * Whether the session's queue was full for a message. It is not to be sent either: its client
   * could not be asked for it again. To be asked while the message is handed to its subscribers.
   */
  hasSkipped(clientId: string, packet: { readonly brokerCounter: number }): boolean {
    return packet.brokerCounter === this.#skippedOf && this.#skipped.has(clientId)
  }

  /** Whether anything of the client's session is kept while it is away. */
  keeps(clientId: string): boolean {
    return this.#sessions.has(clientId)
  }

  #boundRetained(persistence: Persistence): void {
    const store = persistence.storeRetained.bind(persistence)
    persistence.storeRetained = async packet => {
      const { topic, payload } = packet
      const before = this.#retained.get(topic) ?? 0
      const size = payload.length === 0 ? 0 : sizeOf(packet)
      const total = this.#retainedBytes - before + size
      if (size > before && total > this.#limits.maxRetainedBytes) {
        this.notRetained++
        return
      }
      this.#retainedBytes = total
      if (size === 0) this.#retained.delete(topic)
      else this.#retained.set(topic, size)
      await store(packet)
    }
  }

  #boundSessions(persistence: Persistence): void {
    const add = persistence.addSubscriptions.bind(persistence)
    persistence.addSubscriptions = async (client, filters) => {
      let kept = this.#sessions.get(client.id)
      if (kept === undefined) {
        if (this.#sessions.size >= this.#limits.maxSessions) {
          throw new Error(`${this.#limits.maxSessions} sessions are kept already`)
        }
        this.#sessions.set(client.id, (kept = new Set()))
      }
      for (const { topic, qos } of filters) {
        if (qos > 0) {
          kept.add(topic)
          this.filters.add(topic, client.id)
        } else if (kept.delete(topic)) this.filters.remove(topic, client.id)
      }
      await add(client, filters)
    }
    const remove = persistence.removeSubscriptions.bind(persistence)
    persistence.removeSubscriptions = async (client, filters) => {
      this.#forget(client.id, filters)
      await remove(client, filters)
    }
    const clean = persistence.cleanSubscriptions.bind(persistence)
    persistence.cleanSubscriptions = async client => {
      this.#forget(client.id, [...(this.#sessions.get(client.id) ?? [])])
      this.#sessions.delete(client.id)
      await clean(client)
    }
  }

  #forget(clientId: string, filters: readonly string[]): void {
    const kept = this.#sessions.get(clientId)
    for (const filter of filters) {
      if (kept?.delete(filter) === true) this.filters.remove(filter, clientId)
    }
  }

  #boundQueues(persistence: Persistence): void {
    const enqueue = persistence.outgoingEnqueueCombi.bind(persistence)
    persistence.outgoingEnqueueCombi = async (filters, packet) => {
      const size = sizeOf(packet)
      this.#skipped.clear()
      this.#skippedOf = packet.brokerCounter
      // One copy for a client, also when several of its filters match.
      const room = new Map<string, SessionFilter>()
      for (const filter of filters) {
        const { clientId } = filter
        const length = this.#queues.get(clientId) ?? 0
        if (room.has(clientId) || this.#skipped.has(clientId)) continue
        if (
          length < this.#limits.maxQueuedMessages &&
          this.#queuedBytes + size <= this.#limits.maxQueuedBytes
        ) {
          this.#queues.set(clientId, length + 1)
          this.#queuedBytes += size
          room.set(clientId, filter)
        } else this.#skipped.add(clientId)
      }
      await enqueue([...room.values()], packet)
    }
    const update = persistence.outgoingUpdate.bind(persistence)
    persistence.outgoingUpdate = async (client, packet) => {
      if (packet.topic !== undefined) this.#sentBytes.set(sentKey(client, packet), sizeOf(packet))
      else if (packet.brokerId === undefined) {
        // aedes takes two PUBRELs without a number for the same, and leaves a message behind.
        packet.brokerId = 'released'
        packet.brokerCounter = packet.messageId
      }
      await update(client, packet)
    }
    const clear = persistence.outgoingClearMessageId.bind(persistence)
    persistence.outgoingClearMessageId = async (client, packet) => {
      // aedes asks so for a delivery that did not take place; there is no second copy to clear, and
      // the first packet without an id is one that was not sent yet.
      if (packet.messageId === undefined) return undefined
      const cleared = await clear(client, packet)
      if (cleared === undefined) return undefined
      const left = (this.#queues.get(client.id) ?? 1) - 1
      if (left === 0) this.#queues.delete(client.id)
      else this.#queues.set(client.id, left)
      // Of a message of QoS 2 nothing but the PUBREL is left in the queue.
      const sent = sentKey(client, packet)
      this.#queuedBytes -= this.#sentBytes.get(sent) ?? 0
      this.#sentBytes.delete(sent)
      return cleared
    }
  }
}

function sentKey({ id }: ClientRef, { messageId }: { readonly messageId?: number }): string {
  return `${messageId} ${id}`
}

function sizeOf({ topic = '', payload }: Partial<StoredPacket>): number {
  return PACKET_OVERHEAD + 2 * topic.length + (payload?.length ?? 0)
}
