import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type TlsOptions,
} from 'node:tls'

export interface ListenerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Absent: without TLS. */
  readonly tls?: TlsOptions
  readonly accept: (socket: Socket) => void
  readonly onError: (error: Error) => void
}

export interface Listener {
  readonly address: AddressInfo
  /** New connections get these certificates; nothing for a listener without TLS. */
  renew(tls: TlsOptions): void
  /** Accepts no more; resolves when the connections have ended. */
  close(): Promise<void>
}

const KEEP_ALIVE = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }
/** A client that does not finish the handshake holds a socket. */
const HANDSHAKE_TIMEOUT_MS = 10_000

/** @throws the system's error (`EADDRINUSE`), or that of TLS for certificates that do not fit. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { host, port, tls, accept, onError } = options
  let secure: TlsServer | undefined
  let server: Server
  if (tls === undefined) {
    server = createServer(KEEP_ALIVE)
    server.on('connection', accept)
  } else {
    const timeouts = { handshakeTimeout: HANDSHAKE_TIMEOUT_MS }
    secure = createTlsServer({ ...KEEP_ALIVE, ...timeouts, ...tls })
    secure.on('secureConnection', accept)
    // A handshake that fails is the client's affair; without a listener nothing else happens.
    secure.on('tlsClientError', (_error, socket) => socket.destroy())
    server = secure
  }
  server.listen(port, host)
  await once(server, 'listening')
  server.on('error', onError)
  return {
    address: server.address() as AddressInfo,
    renew: renewed => secure?.setSecureContext(renewed),
    close: () => new Promise(resolve => server.close(() => resolve())),
  }
}
