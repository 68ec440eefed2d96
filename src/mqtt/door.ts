import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TlsOptions } from 'node:tls'
import { openClients } from './clients.ts'
import { Connection } from './connection.ts'
import { listen, type Listener } from './listener.ts'
import { defaultLimits, type MqttLimits, type MqttOptions } from './options.ts'
import { attachWebSocket } from './websocket.ts'

export interface MqttStats {
  readonly clients: number
  /** By kind, see `MessageCounts`. */
  readonly messages: ReadonlyMap<string, number>
}

export interface MqttDoor {
  /** Of the plain listener; where there is none, of that with TLS. */
  readonly address: AddressInfo
  readonly tlsAddress: AddressInfo | undefined
  /** For connections to come. */
  renewCertificates(tls: TlsOptions): void
  /** Serves MQTT over WebSocket at `/mqtt` of that server too, until the door closes. */
  attachWebSocket(server: HttpServer): void
  stats(): MqttStats
  /**
   * Accepts and reads nothing more, acknowledges what was read once it is durable, then closes the
   * connections, within `timeoutMs` all in all. The gate has to be open until it resolves. Wills
   * are not published: the clients did not fail.
   */
  close(timeoutMs?: number): Promise<void>
}

const CHECK_INTERVAL_MS = 1000
/** For the engine to put its memory away, when the clients took all the time. */
const GRACE_MS = 1000

/**
 * Opens the broker: MQTT 3.1.1 (and 3.1) over TCP, and over WebSocket where it is attached.
 *
 * A message on a telemetry topic is made durable first; then it is delivered to subscribers as by
 * any broker, and acknowledged (QoS 1: PUBACK, QoS 2: PUBREC). So what is acknowledged is stored,
 * and what is not acknowledged comes again from its client. That stores nothing twice: a point that
 * brings its time has the same key, and one that does not keeps the arrival of the first attempt,
 * unless the acknowledgement was written and got lost on the way, or Weir restarted in between.
 *
 * Telemetry survives a restart; the rest of the broker's state is in memory and does not: retained
 * messages, sessions with their subscriptions and queued messages, and QoS 2 messages not released.
 *
 * @throws WeirError of kind `config` for a wrong topic template; the system's error (`EADDRINUSE`)
 * when it cannot listen.
 */
export async function openMqttDoor(options: MqttOptions): Promise<MqttDoor> {
  const limits: MqttLimits = { ...defaultLimits, ...options.limits }
  const clients = await openClients(options, limits)
  const { connections } = clients
  let isClosing = false
  const accept = (socket: Duplex): void => {
    if (isClosing || connections.size >= limits.maxConnections) socket.destroy()
    else connections.add(new Connection(socket, clients.host))
  }
  const detach: (() => void)[] = []
  let closed: Promise<void> | undefined
  const onError = (error: Error): void =>
    options.log.error({ error: error.message }, 'the MQTT listener failed')
  const listeners: Listener[] = []
  const { host, port, plain = true, tls } = options
  try {
    if (plain) listeners.push(await listen({ host, port, accept, onError }))
    if (tls !== undefined) {
      const where = { host: tls.host, port: tls.port, tls: tls.options }
      listeners.push(await listen({ ...where, accept, onError }))
    }
  } catch (error) {
    await Promise.all(listeners.map(listener => listener.close()))
    await clients.close()
    throw error
  }
  const check = setInterval(() => {
    const nowMs = Date.now()
    for (const connection of connections) connection.checkAlive(nowMs)
  }, CHECK_INTERVAL_MS)
  check.unref()
  return {
    address: listeners[0].address,
    tlsAddress: tls === undefined ? undefined : listeners.at(-1)?.address,
    renewCertificates(renewed) {
      for (const listener of listeners) listener.renew(renewed)
    },
    attachWebSocket(http) {
      const { isForeign } = options.access
      const { maxPacketBytes } = limits
      detach.push(attachWebSocket(http, { maxPacketBytes, isForeign, accept }))
    },
    stats: () => ({
      clients: clients.connected(),
      messages: clients.counts.byKind(clients.notRetained()),
    }),
    close: (timeoutMs = 10_000) => (closed ??= close(timeoutMs)),
  }
  async function close(timeoutMs: number): Promise<void> {
    isClosing = true
    clients.startClosing()
    for (const stop of detach) stop()
    const deadline = performance.now() + timeoutMs
    const stopped = listeners.map(listener => listener.close())
    await before(deadline, Promise.all([...connections].map(connection => connection.stop())))
    clearInterval(check)
    const finished = [...connections].map(connection => connection.finish())
    await before(deadline, Promise.all([...stopped, ...finished]))
    for (const connection of connections) connection.stream.destroy()
    await before(deadline + GRACE_MS, clients.close())
  }
}

/** Waits for the work, but not beyond the deadline. */
async function before(deadline: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const leftMs = Math.max(0, deadline - performance.now())
  const late = new Promise<void>(resolve => (timer = setTimeout(resolve, leftMs)))
  await Promise.race([work, late])
  clearTimeout(timer)
}
