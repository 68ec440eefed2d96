import type { Connection } from './connection.ts'

/** Which connection carries a request, and what becomes of it then. */
export interface Lines {
  /** All that are not given up, for time-outs. */
  readonly all: Iterable<Connection>
  /** One that takes a request now; undefined: the request has to wait. */
  acquire(owner: number): Connection | undefined
  /** It has connected, or has its answer; `goesOn`: its owner will send again. */
  release(connection: Connection, goesOn: boolean): void
  /** It is closed. */
  lost(connection: Connection, goesOn: boolean): void
  close(): void
}

const RETRY_MIN_MS = 10
const RETRY_MAX_MS = 1000

/** A fixed number of connections that all requests share, each in its turn. */
export class SharedLines implements Lines {
  readonly all: readonly Connection[]
  /** Idle ones; the longest idle first, so that all of them, and what is behind them, have work. */
  readonly #ring: Connection[]
  #first = 0
  #count = 0
  #retryMs = RETRY_MIN_MS
  #isClosed = false

  constructor(connections: readonly Connection[]) {
    this.all = connections
    this.#ring = [...connections]
  }

  acquire(): Connection | undefined {
    while (this.#count > 0) {
      const connection = this.#ring[this.#first]
      this.#first = (this.#first + 1) % this.#ring.length
      this.#count--
      // One that was closed while it was idle is back when it has connected.
      if (connection.state === 'idle') return connection
    }
    return undefined
  }

  release(connection: Connection): void {
    if (connection.state !== 'idle') return
    this.#retryMs = RETRY_MIN_MS
    this.#ring[(this.#first + this.#count) % this.#ring.length] = connection
    this.#count++
  }

  lost(connection: Connection): void {
    this.#forget(connection)
    // At once the first time; a server that is away is not asked over and over.
    setTimeout(
      () => {
        if (!this.#isClosed) connection.open()
      },
      this.#retryMs === RETRY_MIN_MS ? 0 : this.#retryMs,
    )
    this.#retryMs = Math.min(RETRY_MAX_MS, 2 * this.#retryMs)
  }

  close(): void {
    this.#isClosed = true
    for (const connection of this.all) connection.abandon()
  }

  /** Out of the ring: it may not stand in it twice when it comes back. */
  #forget(connection: Connection): void {
    const idle: Connection[] = []
    for (let i = 0; i < this.#count; i++) {
      const other = this.#ring[(this.#first + i) % this.#ring.length]
      if (other !== connection) idle.push(other)
    }
    this.#first = 0
    this.#count = idle.length
    for (const [i, other] of idle.entries()) this.#ring[i] = other
  }
}

/** Each owner opens one with its first request and closes it behind its last. */
export class OwnLines implements Lines {
  readonly #make: () => Connection
  readonly #byOwner = new Map<number, Connection>()

  constructor(make: () => Connection) {
    this.#make = make
  }

  get all(): Iterable<Connection> {
    return this.#byOwner.values()
  }

  acquire(owner: number): Connection {
    let connection = this.#byOwner.get(owner)
    if (connection === undefined) {
      connection = this.#make()
      this.#byOwner.set(owner, connection)
    }
    if (connection.state === 'closed') connection.open()
    return connection
  }

  release(connection: Connection, goesOn: boolean): void {
    if (goesOn) return
    connection.abandon()
    this.#byOwner.delete(connection.inFlight.owner)
  }

  lost(connection: Connection, goesOn: boolean): void {
    if (!goesOn) this.#byOwner.delete(connection.inFlight.owner)
  }

  close(): void {
    for (const connection of this.all) connection.abandon()
    this.#byOwner.clear()
  }
}
