import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { httpSender } from './http-sender.ts'
import type { Message } from './message.ts'
import { mqttSender } from './mqtt-sender.ts'
import { laneOf, type Sender } from './sender.ts'

const message = (device: number, number: number): Message => ({
  ...{ deviceId: `d${device}`, timestamp: 1_700_000_000_000 + number },
  ...{ data: { a: number, b: true }, dueMs: 0 },
})

async function sendAll(sender: Sender, messages: readonly Message[]): Promise<void> {
  for (const next of messages) while (!sender.offer(next)) await sender.room()
}

async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as net.AddressInfo).port
}

interface Item {
  device_id: string
  timestamp: number
  data: { a: number; b: boolean }
}

type Answer = (items: Item[], response: ServerResponse) => void

async function platform(answer: Answer): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    assert.equal(request.url, '/api/v1/telemetry')
    void text(request).then(body => answer(JSON.parse(body) as Item[], response))
  })
  const port = await listening(server)
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

const ok = (response: ServerResponse, body: object = {}): void =>
  void response.end(JSON.stringify(body))
const OPTIONS = { lanes: 3, batch: 10, maxWaiting: 50, firstRetryMs: 1 }

describe('sending over HTTP', () => {
  it('delivers every message once, each device in order, in batches', async () => {
    const got: Item[] = []
    let largest = 0
    const server = await platform((items, response) => {
      got.push(...items)
      largest = Math.max(largest, items.length)
      ok(response)
    })
    const sender = httpSender({ url: server.url, ...OPTIONS })
    const messages = Array.from({ length: 600 }, (_, i) => message(i % 7, i))
    await sendAll(sender, messages)
    await sender.drained()
    assert.equal(got.length, 600)
    assert.equal(largest, 10)
    for (const [, items] of Map.groupBy(got, item => item.device_id)) {
      for (let i = 1; i < items.length; i++) assert.ok(items[i].timestamp > items[i - 1].timestamp)
    }
    assert.deepEqual(sender.counts, {
      ...{
        sent: 1200,
        acknowledged: 1200,
        refused: 0,
        waiting: 0,
        errors: 0,
        lastError: undefined,
      },
    })
    await sender.close()
    server.close()
  })

  it('sends a batch again when the platform is full, fails or breaks the connection', async () => {
    const got: number[] = []
    let requests = 0
    const server = await platform((items, response) => {
      requests++
      if (requests === 1) {
        response.writeHead(429, { 'retry-after': '0' }).end('ingest.maxPendingBytes')
      } else if (requests === 2) response.writeHead(503).end()
      else if (requests === 3) response.destroy()
      else {
        got.push(...items.map(item => item.data.a))
        ok(response)
      }
    })
    const sender = httpSender({ url: server.url, ...OPTIONS, lanes: 1 })
    await sendAll(sender, [message(1, 1), message(1, 2)])
    await sender.drained()
    assert.deepEqual([...new Set(got)], [1, 2])
    assert.equal(sender.counts.errors, 3)
    assert.equal(sender.counts.acknowledged, 4)
    await sender.close()
    server.close()
  })

  it('counts what the platform refuses and does not send it again', async () => {
    let requests = 0
    const server = await platform((_items, response) => {
      requests++
      if (requests === 1)
        ok(response, { accepted: 1, rejected: [{ index: 0, field: 'a', detail: 'too big' }] })
      else response.writeHead(400).end('nothing was good')
    })
    const sender = httpSender({ url: server.url, ...OPTIONS, lanes: 1 })
    await sendAll(sender, [message(1, 1)])
    await sender.drained()
    assert.deepEqual([sender.counts.refused, sender.counts.acknowledged], [1, 1])
    assert.equal(sender.counts.lastError, 'too big')
    await sendAll(sender, [message(1, 2)])
    await sender.drained()
    assert.deepEqual([sender.counts.refused, sender.counts.acknowledged], [3, 1])
    assert.equal(requests, 2)
    await sender.close()
    server.close()
  })

  it('takes no more than may wait, and gives up when it is closed', async () => {
    const server = await platform(() => {})
    const sender = httpSender({ url: server.url, ...OPTIONS, maxWaiting: 3 })
    const taken = [1, 2, 3, 4].map(i => sender.offer(message(i, i)))
    assert.deepEqual(taken, [true, true, true, false])
    const room = sender.room()
    const drained = sender.drained()
    await sender.close()
    await Promise.all([room, drained])
    assert.equal(sender.counts.waiting, 3)
    server.close()
  })
})

interface Published {
  topic: string
  payload: Record<string, unknown>
}

/** Reads CONNECT and PUBLISH; `acknowledge` says whether this message gets its PUBACK. */
function broker(acknowledge: (published: Published, socket: net.Socket) => boolean): net.Server {
  return net.createServer(socket => {
    let bytes = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', chunk => {
      bytes = Buffer.concat([bytes, chunk])
      for (;;) {
        let [at, length, shift] = [1, 0, 0]
        while (at < bytes.length && bytes[at] >= 128) {
          length |= (bytes[at++] & 127) << shift
          shift += 7
        }
        if (at >= bytes.length) return
        length |= bytes[at++] << shift
        if (bytes.length < at + length) return
        const packet = bytes.subarray(at, at + length)
        const type = bytes[0] >> 4
        bytes = bytes.subarray(at + length)
        if (type === 1) socket.write(Buffer.from([0x20, 2, 0, 0]))
        if (type !== 3) continue
        const topicEnd = 2 + packet.readUInt16BE(0)
        const payload = JSON.parse(packet.toString('utf8', topicEnd + 2)) as Record<string, unknown>
        const published = { topic: packet.toString('utf8', 2, topicEnd), payload }
        if (acknowledge(published, socket)) {
          socket.write(Buffer.from([0x40, 2, packet[topicEnd], packet[topicEnd + 1]]))
        }
      }
    })
  })
}

describe('sending over MQTT', () => {
  it('publishes to the topic of the device, with the time among the metrics', async () => {
    const got: Published[] = []
    const server = broker(published => got.push(published) > 0)
    const url = `mqtt://127.0.0.1:${await listening(server)}`
    const sender = mqttSender({ url, lanes: 2, maxWaiting: 10 })
    const messages = Array.from({ length: 100 }, (_, i) => message(i % 5, i))
    await sendAll(sender, messages)
    await sender.drained()
    assert.equal(got.length, 100)
    const first = got.find(published => published.payload['a'] === 0)
    assert.deepEqual(first, {
      topic: 'devices/d0/telemetry',
      payload: { a: 0, b: true, timestamp: 1_700_000_000_000 },
    })
    assert.deepEqual([sender.counts.acknowledged, sender.counts.errors], [200, 0])
    await sender.close()
    server.close()
  })

  it('sends what was not acknowledged again, in order, when the platform is back', async () => {
    const first: number[] = []
    const sockets: net.Socket[] = []
    // It takes ten messages, acknowledges five and dies.
    const dying = broker((published, socket) => {
      sockets.push(socket)
      first.push(published.payload['a'] as number)
      if (first.length === 10) {
        dying.close()
        for (const open of new Set(sockets)) open.destroy()
      }
      return first.length <= 5
    })
    const port = await listening(dying)
    const died = once(dying, 'close')
    const sender = mqttSender({
      url: `mqtt://127.0.0.1:${port}`,
      lanes: 1,
      maxWaiting: 100,
      firstRetryMs: 5,
    })
    const sending = sendAll(
      sender,
      Array.from({ length: 40 }, (_, i) => message(1, i)),
    )
    await died
    await sending
    const second: number[] = []
    const back = broker(published => second.push(published.payload['a'] as number) > 0)
    back.listen(port, '127.0.0.1')
    await sender.drained()
    assert.deepEqual(
      [...new Set([...first, ...second])].sort((a, b) => a - b),
      Array.from({ length: 40 }, (_, i) => i),
    )
    for (let i = 1; i < second.length; i++) assert.equal(second[i], second[i - 1] + 1)
    assert.equal(sender.counts.acknowledged, 80)
    assert.equal(sender.counts.waiting, 0)
    assert.ok(sender.counts.errors > 0)
    await sender.close()
    back.close()
  })
})

describe('lanes', () => {
  it('spread devices and keep each on one', () => {
    const counts = [0, 0, 0, 0]
    for (let d = 0; d < 1000; d++) counts[laneOf(`pump-${d}`, 4)]++
    assert.equal(laneOf('pump-1', 4), laneOf('pump-1', 4))
    for (const count of counts) assert.ok(count > 150, counts.join(' '))
  })
})
