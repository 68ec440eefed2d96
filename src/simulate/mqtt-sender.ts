import mqtt from 'mqtt'
import { messagePoints, mqttPayload, type Message } from './message.ts'
import {
  emptyCounts,
  gate,
  laneOf,
  type SendCounts,
  type Sender,
  type SenderOptions,
} from './sender.ts'

export interface MqttSenderOptions extends SenderOptions {
  readonly firstRetryMs?: number
}

const LONGEST_RETRY_MS = 5_000
const KEEPALIVE_SECONDS = 20

interface Pending {
  readonly topic: string
  readonly payload: string
  readonly points: number
}

interface Lane {
  publish(message: Pending): void
  close(): Promise<void>
}

interface LaneOptions {
  readonly url: string
  readonly clientId: string
  readonly key: string | undefined
  readonly firstRetryMs: number
  readonly counts: SendCounts
  /** Called for each message when its acknowledgement is there. */
  readonly settled: (message: Pending) => void
}

/**
 * One connection. The client library's own reconnecting is off: it fails publishes that are made
 * while it repeats older ones. Here what is not acknowledged stays in `pending`, and every new
 * connection begins by sending all of it again, in order.
 */
function mqttLane(options: LaneOptions): Lane {
  const { counts, firstRetryMs } = options
  /** In order of publishing; a Set, because acknowledgements may come in any order. */
  const pending = new Set<Pending>()
  let client: mqtt.MqttClient
  let online = false
  let closed = false
  let pauseMs = firstRetryMs
  let timer: NodeJS.Timeout | undefined

  function publishOn(connection: mqtt.MqttClient, message: Pending): void {
    connection.publish(message.topic, message.payload, { qos: 1 }, error => {
      // A message may be acknowledged on an old and on a new connection: the first one counts.
      if (!error && !closed && pending.delete(message)) options.settled(message)
    })
  }

  function connect(): void {
    const connection = mqtt.connect(options.url, {
      clientId: options.clientId,
      ...(options.key === undefined ? {} : { username: 'weir', password: options.key }),
      keepalive: KEEPALIVE_SECONDS,
      reconnectPeriod: 0,
      connectTimeout: 5_000,
    })
    client = connection
    connection.on('connect', () => {
      online = true
      pauseMs = firstRetryMs
      for (const message of pending) publishOn(connection, message)
    })
    connection.on('error', error => {
      counts.lastError = describe(error)
    })
    connection.on('close', () => {
      if (closed || client !== connection || timer !== undefined) return
      if (online) counts.lastError = 'the platform closed the connection'
      online = false
      counts.errors++
      connection.end(true)
      timer = setTimeout(
        () => {
          timer = undefined
          connect()
        },
        pauseMs * (0.5 + Math.random()),
      )
      pauseMs = Math.min(LONGEST_RETRY_MS, pauseMs * 2)
    })
  }

  connect()
  return {
    publish(message) {
      pending.add(message)
      if (online) publishOn(client, message)
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await client.endAsync(pending.size > 0)
    },
  }
}

function describe(error: Error): string {
  const { errors } = error as { errors?: Error[] }
  return error.message !== '' ? error.message : (errors?.[0]?.message ?? String(error))
}

/**
 * Publishes each message with QoS 1 to `devices/{device_id}/telemetry`. A few connections carry
 * the whole fleet.
 */
export function mqttSender(options: MqttSenderOptions): Sender {
  const counts = emptyCounts()
  const room = gate()
  const drained = gate()
  let closed = false
  const settled = (message: Pending): void => {
    counts.acknowledged += message.points
    counts.waiting--
    room.open()
    if (counts.waiting === 0) drained.open()
  }
  const name = `weir-simulate-${process.pid}-${Math.random().toString(36).slice(2, 8)}`
  const firstRetryMs = options.firstRetryMs ?? 100
  const lanes: Lane[] = []
  for (let l = 0; l < options.lanes; l++) {
    const clientId = `${name}-${l}`
    const { url, key } = options
    lanes.push(mqttLane({ url, key, clientId, firstRetryMs, counts, settled }))
  }

  const offer = (message: Message): boolean => {
    if (counts.waiting >= options.maxWaiting) return false
    const points = messagePoints(message)
    counts.waiting++
    counts.sent += points
    const topic = `devices/${message.deviceId}/telemetry`
    const lane = lanes[laneOf(message.deviceId, lanes.length)]
    lane.publish({ topic, payload: mqttPayload(message), points })
    return true
  }

  return {
    counts,
    offer,
    room: () => (closed || counts.waiting < options.maxWaiting ? Promise.resolve() : room.wait()),
    drained: () => (closed || counts.waiting === 0 ? Promise.resolve() : drained.wait()),
    async close() {
      closed = true
      room.open()
      drained.open()
      await Promise.all(lanes.map(lane => lane.close()))
    },
  }
}
