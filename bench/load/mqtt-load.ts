import { putHundredths, putTime, walks } from './digits.ts'
import { connected, type RunningLoad } from './http-load.ts'
import { ackParser, connectPacket, DISCONNECT_PACKET, publishPacket } from './mqtt-wire.ts'
import { deviceName, METRICS, putDevice } from './request.ts'
import type { Tally } from './tally.ts'

export interface MqttLoadOptions {
  readonly port: number
  readonly connections: number
  /** Messages in flight on each connection. */
  readonly window: number
  readonly devices: number
  /** Device time of the first message of each device; every further one is a second later. */
  readonly startMs: number
  readonly tally: Tally
  /** The user name, for a broker that asks for a key. */
  readonly key?: string | undefined
}

const DRAIN_MS = 15_000

/**
 * QoS 1 publishes to `devices/{id}/telemetry` over raw sockets. The bytes of a connection's window
 * of messages lie side by side; those that are acknowledged get new values and go out again, as
 * one write where they are neighbours.
 */
export async function startMqttLoad(options: MqttLoadOptions): Promise<RunningLoad> {
  const shared = { stopping: false, sent: 0, inFlight: 0, idle: () => {} }
  const opened: Promise<Connection>[] = []
  for (let c = 0; c < options.connections; c++) opened.push(open(options, c, shared))
  const connections = await Promise.all(opened)
  for (const connection of connections) connection.begin()
  return {
    exhausted: new Promise(() => {}),
    async stop() {
      shared.stopping = true
      if (shared.inFlight > 0) {
        const late = setTimeout(() => shared.idle(), DRAIN_MS)
        await new Promise<void>(resolve => (shared.idle = resolve))
        clearTimeout(late)
      }
      for (const connection of connections) connection.end()
      return shared.sent * METRICS.length
    },
  }
}

interface Connection {
  begin(): void
  end(): void
}

interface Shared {
  stopping: boolean
  sent: number
  inFlight: number
  idle: () => void
}

async function open(options: MqttLoadOptions, index: number, shared: Shared): Promise<Connection> {
  const { window, tally } = options
  const slots = messageSlots(options, index)
  const sentAt = new Float64Array(window)
  let freed: number[] = []
  let now = 0
  let welcome = (_returnCode: number): void => {}

  const parser = ackParser({
    connack: code => welcome(code),
    puback(id) {
      tally.answer(METRICS.length, now - sentAt[id - 1])
      freed.push(id - 1)
    },
  })

  const send = (from: number, to: number): void => {
    for (let slot = from; slot < to; slot++) {
      slots.renew(slot)
      sentAt[slot] = now
    }
    shared.sent += to - from
    shared.inFlight += to - from
    socket.write(slots.bytes.subarray(from * slots.size, to * slots.size))
  }

  const sendFreed = (): void => {
    const list = freed
    freed = []
    shared.inFlight -= list.length
    if (shared.stopping) {
      if (shared.inFlight === 0) shared.idle()
      return
    }
    socket.cork()
    for (let i = 0, run = 1; i < list.length; i += run) {
      for (run = 1; i + run < list.length && list[i + run] === list[i] + run;) run++
      send(list[i], list[i] + run)
    }
    socket.uncork()
  }

  const socket = await connected(options.port, bytes => {
    now = performance.now()
    parser.feed(bytes, 0, bytes.length)
    if (freed.length > 0) sendFreed()
  })
  let ended = false
  socket.on('error', error => tally.failure(error.message))
  socket.on('close', () => {
    if (!ended) tally.failure('the broker closed the connection')
  })
  const returnCode = await new Promise<number>(resolve => {
    welcome = resolve
    socket.write(connectPacket(`load-${index}`, options.key))
  })
  if (returnCode !== 0) throw new Error(`the broker refused the connection: ${returnCode}`)
  return {
    begin() {
      now = performance.now()
      send(0, window)
    },
    end() {
      ended = true
      socket.end(DISCONNECT_PACKET)
    },
  }
}

interface MessageSlots {
  readonly bytes: Buffer
  /** Of one message. */
  readonly size: number
  /** Makes the message of this slot that of the next device, with new values. */
  renew(slot: number): void
}

/** A connection's devices are its share of all; it goes round them. */
function messageSlots(options: MqttLoadOptions, connection: number): MessageSlots {
  const { connections, window, startMs } = options
  const devices = Math.max(1, Math.floor(options.devices / connections))
  const firstDevice = connection * devices
  const values = METRICS.map(metric => `"${metric}":50.00`).join(',')
  const payload = `{${values},"timestamp":1700000000000}`
  const packet = publishPacket(`devices/${deviceName(0)}/telemetry`, Buffer.from(payload))
  const size = packet.bytes.length
  const bytes = Buffer.alloc(size * window)
  for (let slot = 0; slot < window; slot++) {
    packet.bytes.copy(bytes, slot * size)
    bytes.writeUInt16BE(slot + 1, slot * size + packet.idAt)
  }
  const deviceAt = packet.bytes.indexOf('dev-') + 4
  const timeAt = packet.bytes.indexOf('1700000000000')
  const valuesAt = METRICS.map(metric => packet.bytes.indexOf(`"${metric}":`) + metric.length + 3)
  const walk = walks(devices * METRICS.length, connection + 1)
  let device = 0
  let round = 0
  return {
    bytes,
    size,
    renew(slot) {
      const at = slot * size
      putDevice(bytes, at + deviceAt, firstDevice + device)
      putTime(bytes, at + timeAt, startMs + round * 1000)
      for (let v = 0; v < METRICS.length; v++) {
        putHundredths(bytes, at + valuesAt[v], walk.next(device * METRICS.length + v))
      }
      if (++device === devices) {
        device = 0
        round++
      }
    },
  }
}
