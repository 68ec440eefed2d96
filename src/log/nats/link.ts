import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import {
  AuthorizationError,
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
} from '@nats-io/transport-node'
import { Backoff } from '../../kit/backoff.ts'
import { WeirError } from '../../ports/errors.ts'

/** Of the client's inside: the socket of its present connection. */
interface Inside {
  readonly protocol?: { readonly transport?: { readonly socket?: Socket } }
}

/**
 * Closes a connection. The client writes to the socket once more before it takes its listeners off it;
 * where the server has just ended the connection, the error of that write would find nobody and end
 * the process.
 */
export function closeConnection(connection: NatsConnection): Promise<void> {
  const { socket } = (connection as unknown as Inside).protocol?.transport ?? {}
  if (socket !== undefined) {
    socket.removeAllListeners = event => {
      Socket.prototype.removeAllListeners.call(socket, event)
      return socket.on('error', () => {})
    }
  }
  return connection.close()
}

export interface NatsServerOptions {
  /** `nats://HOST:PORT`, perhaps with a user, or `HOST:PORT`. */
  readonly servers: readonly string[]
  /** Empty: as the addresses say, or none. */
  readonly user: string
  readonly password: string
  readonly token: string
  /** File with a user's JWT and seed. */
  readonly credsFile: string
  readonly tls: {
    readonly enabled: boolean
    readonly caFile: string
    readonly certFile: string
    readonly keyFile: string
  }
  /** How long anything may take that a server is asked for. */
  readonly requestTimeoutMs: number
}

/** A server that says nothing for three of these is taken for gone. */
const PING_INTERVAL_MS = 2000
const MAX_SILENT_PINGS = 2
const RECONNECT = { firstMs: 50, lastMs: 1000 }

/**
 * The connection, which knows whether it is up: the client keeps what is published while it is
 * down in memory without a bound, so nothing is published then.
 */
export class NatsLink {
  readonly connection: NatsConnection
  readonly manager: JetStreamManager
  readonly requestTimeoutMs: number
  /** When it was lost, by `performance.now()`; undefined while it is up. */
  #downSince: number | undefined
  #failure: string | undefined
  readonly #onUp = new Set<() => void>()
  #closed = false

  /** @throws WeirError `config` (refused, no JetStream), `retryable` (nobody answers). */
  static async open(options: NatsServerOptions): Promise<NatsLink> {
    const deadline = performance.now() + options.requestTimeoutMs
    const backoff = new Backoff(RECONNECT)
    for (;;) {
      try {
        return await NatsLink.#try(options)
      } catch (error) {
        if (error instanceof WeirError) throw error
        const waitMs = backoff.next()
        if (performance.now() + waitMs > deadline) throw unreachable(error)
        // A server that has just been started may not listen, or not have read its streams yet.
        await new Promise(resolve => setTimeout(resolve, waitMs))
      }
    }
  }

  static async #try(options: NatsServerOptions): Promise<NatsLink> {
    let connection: NatsConnection
    const backoff = new Backoff(RECONNECT)
    try {
      connection = await connectNats(options, backoff)
    } catch (error) {
      if (!(error instanceof AuthorizationError)) throw error
      throw new WeirError('config', `the NATS server refuses Weir: ${error.message}`, {
        cause: error,
      })
    }
    try {
      const manager = await jetstreamManager(connection, { timeout: options.requestTimeoutMs })
      const link = new NatsLink({ connection, manager, ...options })
      link.onUp(() => backoff.reset())
      return link
    } catch (error) {
      const { info } = connection
      await closeConnection(connection)
      if (info?.jetstream === true) throw error
      throw new WeirError('config', 'the NATS server runs without JetStream (nats-server -js)', {
        cause: error,
      })
    }
  }

  private constructor(parts: Pick<NatsLink, 'connection' | 'manager' | 'requestTimeoutMs'>) {
    this.connection = parts.connection
    this.manager = parts.manager
    this.requestTimeoutMs = parts.requestTimeoutMs
    void this.#watch()
    void this.connection.closed().then(error => {
      if (this.#closed) return
      this.#downSince ??= performance.now()
      this.#failure = `the connection to NATS has ended: ${String(error)}`
    })
  }

  get isUp(): boolean {
    return this.#downSince === undefined && !this.#closed
  }

  /** Since when it is down, in milliseconds; 0 while it is up. */
  get downMs(): number {
    return this.#downSince === undefined ? 0 : performance.now() - this.#downSince
  }

  /** Why there will be no connection any more. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** The largest message, with its headers, that the server takes. */
  get maxPayload(): number {
    return this.connection.info?.max_payload ?? 1 << 20
  }

  get serverVersion(): string {
    return this.connection.info?.version ?? 'unknown'
  }

  /** Called after each time that the connection has come back. Returns what ends it. */
  onUp(listener: () => void): () => void {
    this.#onUp.add(listener)
    return () => void this.#onUp.delete(listener)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await closeConnection(this.connection)
  }

  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'disconnect') this.#downSince ??= performance.now()
      if (status.type !== 'reconnect') continue
      this.#downSince = undefined
      for (const listener of this.#onUp) listener()
    }
  }
}

/** @throws what the client throws, and WeirError `config` for files that cannot be read. */
export function connectNats(
  options: NatsServerOptions,
  backoff = new Backoff(RECONNECT),
): Promise<NatsConnection> {
  return connect(clientOptions(options, backoff))
}

function clientOptions(options: NatsServerOptions, backoff: Backoff): NodeConnectionOptions {
  const { credsFile, tls } = options
  const addresses = options.servers.map(serverAddress)
  // The client takes no login out of addresses, and has one for all of them.
  const { user, password, token } =
    options.user === '' && options.token === ''
      ? (addresses.find(address => address.user !== '' || address.token !== '') ?? options)
      : options
  return {
    servers: addresses.map(({ host }) => host),
    name: 'weir',
    // Forever: whoever needs the connection has a bound of its own.
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: () => backoff.next(),
    timeout: options.requestTimeoutMs,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_SILENT_PINGS,
    noAsyncTraces: true,
    ...(user === '' ? {} : { user, pass: password }),
    ...(token === '' ? {} : { token }),
    ...(credsFile === '' ? {} : { authenticator: credsAuthenticator(readCredentials(credsFile)) }),
    ...(tls.enabled || addresses.some(({ isTls }) => isTls) ? { tls: filesOf(tls) } : {}),
  }
}

interface ServerAddress extends Pick<NatsServerOptions, 'user' | 'password' | 'token'> {
  readonly host: string
  readonly isTls: boolean
}

/** A name without a password in an address is a token, as all clients of NATS have it. */
function serverAddress(text: string): ServerAddress {
  const url = new URL(text.includes('://') ? text : `nats://${text}`)
  const [name, password] = [url.username, url.password].map(decodeURIComponent)
  const login = password === '' ? { user: '', token: name } : { user: name, token: '' }
  return { ...login, password, host: url.host, isTls: url.protocol === 'tls:' }
}

function readCredentials(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new WeirError('config', `nats.credsFile: ${(cause as Error).message}`, { cause })
  }
}

function filesOf({ caFile, certFile, keyFile }: NatsServerOptions['tls']): Record<string, string> {
  const files = { caFile, certFile, keyFile }
  return Object.fromEntries(Object.entries(files).filter(([, path]) => path !== ''))
}

function unreachable(cause: unknown): WeirError {
  const { message } = cause as Error
  return new WeirError('retryable', `no NATS server can be reached: ${message}`, { cause })
}
