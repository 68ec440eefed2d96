import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { packetBytes } from '../door-fixture.ts'
import { PUBACK, SUBSCRIBE } from '../packets.ts'
import { ReceiveBuffer } from '../receive-buffer.ts'

/** For tests: a broker that takes every connection and subscription, and sends what it is told. */
export interface ScriptedBroker {
  readonly url: string
  /** Packet ids of the PUBACKs so far, over all connections. */
  readonly acknowledged: readonly number[]
  /** Subscriptions answered so far: as many connections are ready for messages. */
  subscriptions(): number
  /** The filters asked for, over all connections. */
  readonly filters: readonly string[]
  write(bytes: Buffer): void
  breakConnection(): void
}

export async function openScriptedBroker(
  t: TestContext,
  { connack, isV5 }: { readonly connack: Buffer; readonly isV5: boolean },
): Promise<ScriptedBroker> {
  const acknowledged: number[] = []
  const filters: string[] = []
  let subscriptions = 0
  let current: Socket | undefined
  const answer = (socket: Socket, type: number, body: Buffer): void => {
    if (type === 1) socket.write(connack)
    else if (type === PUBACK) acknowledged.push(body.readUInt16BE(0))
    else if (type === SUBSCRIBE) {
      // One filter, as the tests ask for one.
      const at = isV5 ? 3 : 2
      filters.push(body.toString('utf8', at + 2, at + 2 + body.readUInt16BE(at)))
      const granted = isV5 ? [0, 1] : [1]
      socket.write(packetBytes(0x90, Buffer.from([body[0], body[1], ...granted])))
      subscriptions++
    }
  }
  const server = createServer(socket => {
    current = socket
    const received = new ReceiveBuffer(() => undefined)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk)
      while (received.next()) {
        const { bytes, place } = received
        answer(socket, bytes[place.at] >> 4, bytes.subarray(place.body, place.end))
        received.consume()
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    current?.destroy()
    server.close()
  })
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    acknowledged,
    filters,
    subscriptions: () => subscriptions,
    write: bytes => void current?.write(bytes),
    breakConnection: () => void current?.resetAndDestroy(),
  }
}
