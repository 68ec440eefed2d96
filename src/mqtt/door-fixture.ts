import { once, type EventEmitter } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { connect as connectMqtt, type IClientOptions, type MqttClient } from 'mqtt'
import { openAccess } from '../model/access.ts'
import { openMqttDoor, type MqttDoor } from './door.ts'
import type { MqttIngestOutcome, MqttLogger, MqttOptions, TelemetryMessage } from './options.ts'

/** For tests: an ingest that notes what it gets and answers as it is told. */
export class FakeIngest {
  readonly stored: TelemetryMessage[] = []
  calls = 0
  /** Instead of an answer at once. */
  answer: (messages: readonly TelemetryMessage[]) => Promise<MqttIngestOutcome> = messages =>
    Promise.resolve(this.store(messages))

  readonly ingest: MqttOptions['ingest'] = (_sender, messages) => {
    this.calls++
    return this.answer(messages)
  }

  /** Payloads that are not JSON are refused. */
  store(messages: readonly TelemetryMessage[]): MqttIngestOutcome {
    const rejected = messages.flatMap(({ payload }, index) => {
      try {
        JSON.parse(payload.toString())
        return []
      } catch (error) {
        const detail = (error as Error).message
        return [{ index, field: '', detail, reason: 'malformed', points: 1 } as const]
      }
    })
    const bad = new Set(rejected.map(({ index }) => index))
    this.stored.push(...messages.filter((_, index) => !bad.has(index)))
    return { accepted: messages.length - bad.size, rejected }
  }

  get payloads(): string[] {
    return this.stored.map(({ payload }) => payload.toString())
  }
}

export const noLimits = { limits: () => false, takeMessages: () => {}, pauseMs: () => 0 }

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly fields: Record<string, unknown>
  readonly message: string
}

export interface TestDoor {
  readonly door: MqttDoor
  readonly port: number
  readonly fake: FakeIngest
  readonly lines: LogLine[]
  /** An MQTT.js client, ended with the test; `early` sees it before its first message can come. */
  connect(options?: IClientOptions, early?: (client: MqttClient) => void): Promise<MqttClient>
  raw(): Promise<RawClient>
}

export async function openTestDoor(
  t: TestContext,
  options: Partial<MqttOptions> = {},
): Promise<TestDoor> {
  const fake = new FakeIngest()
  const lines: LogLine[] = []
  const note =
    (level: LogLine['level']): MqttLogger['info'] =>
    (fields, message) =>
      void lines.push({ level, fields: fields as Record<string, unknown>, message })
  const door = await openMqttDoor({
    ...{ host: '127.0.0.1', port: 0, topics: [], ingest: fake.ingest },
    access: { open: openAccess('default'), verify: () => undefined, limits: noLimits },
    log: { info: note('info'), warn: note('warn'), error: note('error') },
    ...options,
  })
  t.after(() => door.close(100))
  const { port } = door.address
  return {
    ...{ door, port, fake, lines },
    async connect(clientOptions = {}, early) {
      const url = `mqtt://127.0.0.1:${port}`
      const client = connectMqtt(url, { reconnectPeriod: 0, ...clientOptions })
      early?.(client)
      await once(client as unknown as EventEmitter, 'connect')
      client.on('error', () => {})
      t.after(() => client.endAsync(true))
      return client
    },
    async raw() {
      const socket = createConnection(port, '127.0.0.1')
      await once(socket, 'connect')
      const client = new RawClient(socket)
      t.after(() => socket.destroy())
      return client
    },
  }
}

/** Bytes in and out, for what no well-behaved client sends. */
export class RawClient {
  readonly socket: Socket
  bytes = Buffer.alloc(0)
  isClosed = false
  #changed: () => void = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk])
      this.#changed()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      this.#changed()
    })
  }

  write(...parts: (Buffer | readonly number[])[]): void {
    this.socket.write(Buffer.concat(parts.map(part => Buffer.from(part))))
  }

  /** Takes `size` bytes of what came, as hex. */
  async take(size: number): Promise<string> {
    await this.#until(() => this.bytes.length >= size || this.isClosed)
    const taken = this.bytes.subarray(0, size).toString('hex')
    this.bytes = this.bytes.subarray(size)
    return taken
  }

  closed(): Promise<void> {
    return this.#until(() => this.isClosed)
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => (this.#changed = resolve))
  }
}

/** CONNECT with a clean session, unless flags say otherwise. */
export function connectBytes(
  clientId: string,
  { flags = 2, keepAlive = 0, level = 4 } = {},
): Buffer {
  const name = level === 3 ? 'MQIsdp' : 'MQTT'
  const body = Buffer.concat([
    text(name),
    Buffer.from([level, flags, 0, keepAlive]),
    text(clientId),
  ])
  return packetBytes(0x10, body)
}

export function publishBytes(
  topic: string | Buffer,
  payload: string,
  { qos = 0, id = 0, dup = false, retain = false } = {},
): Buffer {
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  const packetId = qos > 0 ? Buffer.from([id >> 8, id & 255]) : Buffer.alloc(0)
  return packetBytes(first, Buffer.concat([text(topic), packetId, Buffer.from(payload)]))
}

export function packetBytes(first: number, body: Buffer): Buffer {
  const head = [first]
  let rest = body.length
  do {
    head.push((rest & 127) | (rest > 127 ? 128 : 0))
    rest >>= 7
  } while (rest > 0)
  return Buffer.concat([Buffer.from(head), body])
}

export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

/** Waits for a condition; the runner's time-out ends a wait for one that never comes. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 2))
}

/** A promise that is resolved by hand. */
export const gateway = <T = void>() => Promise.withResolvers<T>()
