/**
 * What the door remembers of a client's messages beyond its connection, so that one sent again
 * (DUP) is not stored twice.
 */
export class InboundSession {
  /** QoS 2 packet ids that are durable and not yet released by PUBREL. */
  readonly received = new Set<number>()
  /** QoS 2 packet ids that are on their way to the log on the present connection. */
  readonly pending = new Set<number>()
  /**
   * Arrival of the messages that were not acknowledged when the connection ended. Their packet ids
   * cannot have been used again, because no acknowledgement ever went out, so a message with DUP
   * and such an id is the same message: it keeps its arrival, hence its points their time.
   */
  readonly arrivals: Map<number, number>

  constructor(arrivals = new Map<number, number>()) {
    this.arrivals = arrivals
  }

  get isEmpty(): boolean {
    return this.received.size === 0 && this.arrivals.size === 0
  }
}

/** The sessions of clients that are away; the oldest are forgotten beyond `maxSessions`. */
export class InboundSessions {
  readonly #maxSessions: number
  readonly #away = new Map<string, InboundSession>()

  constructor(maxSessions: number) {
    this.#maxSessions = maxSessions
  }

  /** The session of a client that has come (back). */
  take(clientId: string, isClean: boolean): InboundSession {
    const session = this.#away.get(clientId) ?? new InboundSession()
    this.#away.delete(clientId)
    return isClean ? new InboundSession(session.arrivals) : session
  }

  /** Its connection has ended; only a session that is kept has QoS 2 messages to remember. */
  put(clientId: string, ended: InboundSession, isKept: boolean): void {
    ended.pending.clear()
    // A new one otherwise: what is still on its way to the log reports to the session that ended.
    const session = isKept ? ended : new InboundSession(ended.arrivals)
    if (session.isEmpty) return
    this.#away.set(clientId, session)
    if (this.#away.size <= this.#maxSessions) return
    const [oldest] = this.#away.keys()
    this.#away.delete(oldest)
  }
}
