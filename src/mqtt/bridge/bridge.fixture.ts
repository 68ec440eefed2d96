import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Aedes } from 'aedes'
import { FakeIngest, type LogLine } from '../door-fixture.ts'
import { openAccess } from '../../model/access.ts'
import { Bridge } from './bridge.ts'
import type { BridgeOptions } from './options.ts'

const SENDER = openAccess('default')

/** For tests: a small broker in this process that can be told what to refuse. */
export class TestBroker {
  readonly port: number
  readonly engine: Aedes
  /** Packet ids in the order in which they were acknowledged. */
  readonly acknowledged: number[] = []
  pings = 0
  connections = 0
  readonly #sockets: Set<Socket>

  constructor(engine: Aedes, port: number, sockets: Set<Socket>) {
    this.engine = engine
    this.port = port
    this.#sockets = sockets
    engine.on('ack', packet => {
      if (packet?.cmd === 'publish') this.acknowledged.push(packet.messageId ?? 0)
    })
    engine.on('ping', () => void this.pings++)
    engine.on('client', () => void this.connections++)
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  publish(topic: string, payload: string | Buffer, retain = false): Promise<void> {
    const packet = { cmd: 'publish', qos: 1, dup: false, retain, topic, payload } as const
    return new Promise((resolve, reject) => {
      this.engine.publish(packet, error => (error ? reject(error) : resolve()))
    })
  }

  /** Resets all connections. */
  breakConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }
}

export async function openTestBroker(
  t: TestContext,
  options: Parameters<typeof Aedes.createBroker>[0] = {},
): Promise<TestBroker> {
  const engine = await Aedes.createBroker({ heartbeatInterval: 1000, ...options })
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    engine.handle(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await new Promise<void>(resolve => engine.close(() => resolve()))
  })
  return new TestBroker(engine, (server.address() as AddressInfo).port, sockets)
}

export interface TestBridge {
  readonly bridge: Bridge
  readonly fake: FakeIngest
  readonly lines: LogLine[]
}

export function openTestBridge(
  t: TestContext,
  options: Partial<BridgeOptions> & { readonly url: string },
): TestBridge {
  const fake = new FakeIngest()
  const lines: LogLine[] = []
  const note = (level: LogLine['level']) => (fields: object, message: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, message })
  const folder = mkdtempSync(join(tmpdir(), 'weir-bridge-'))
  const bridge = new Bridge({
    ...{ name: 'test', version: 'v3.1.1', clientId: 'bridge', qos: 1, retained: false },
    ...{ filters: ['devices/+/+'], templates: [], tls: { rejectUnauthorized: true } },
    ...{ sessionExpiryMs: 60_000, keepAliveMs: 30_000, maxInFlightMessages: 2000 },
    maxPacketBytes: 64 * 1024,
    stateFile: join(folder, 'state', 'test.json'),
    backoff: { firstMs: 5, lastMs: 50 },
    log: { info: note('info'), warn: note('warn'), error: note('error') },
    ingest: messages => fake.ingest(SENDER, messages),
    ...options,
  })
  t.after(async () => {
    await bridge.close(100)
    rmSync(folder, { recursive: true })
  })
  return { bridge, fake, lines }
}
