import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import net from 'node:net'
import { describe, it } from 'node:test'
import { startHttpLoad } from './http-load.ts'
import { startMqttLoad } from './mqtt-load.ts'
import type { RequestSource } from './request.ts'
import { tally } from './tally.ts'

async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as net.AddressInfo).port
}

/** A fixed number of requests. */
function finite(requests: number): RequestSource {
  const bytes = Buffer.from('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}')
  return { points: 3, next: () => (requests-- > 0 ? bytes : undefined) }
}

describe('the HTTP load', () => {
  it('counts every answer, and those that are no success as failures', async () => {
    let requests = 0
    const server = createServer((request, response) => {
      request.resume()
      response.statusCode = ++requests % 10 === 0 ? 503 : 200
      response.end('{"accepted":3}')
    })
    const counts = tally()
    counts.mark()
    const load = await startHttpLoad({
      ...{ port: await listening(server), connections: 4, tally: counts },
      source: () => finite(50),
    })
    await load.exhausted
    const sent = await load.stop()
    const window = counts.mark()
    const totals = counts.totals(sent)
    assert.equal(requests, 200)
    assert.equal(sent, 600)
    assert.equal(totals.acknowledgedPoints, 540)
    assert.equal(totals.unansweredPoints, 60)
    assert.deepEqual([totals.failures, totals.firstFailure], [20, 'status 503'])
    assert.equal(window?.requests, 180)
    assert.equal(totals.overall.points, 540)
    server.close()
  })

  it('counts latency from the time at which a request was due', async () => {
    // The first answer takes its time; the requests that had to wait for it waited too.
    let first = true
    const server = createServer((request, response) => {
      request.resume()
      if (!first) return void response.end('{}')
      first = false
      setTimeout(() => response.end('{}'), 300)
    })
    const counts = tally()
    counts.mark()
    const options = { port: await listening(server), connections: 1, tally: counts }
    const load = await startHttpLoad({
      ...options,
      source: () => finite(20),
      requestsPerSecond: 100,
    })
    await load.exhausted
    const sent = await load.stop()
    counts.mark()
    const { overall } = counts.totals(sent)
    assert.equal(overall.requests, 20)
    assert.ok(overall.p50Ms > 100, `p50 ${overall.p50Ms} ms`)
    server.close()
  })

  it('tells when the server closes a connection with a request on it', async () => {
    const server = net.createServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => socket.destroy())
    })
    const counts = tally()
    const load = await startHttpLoad({
      ...{ port: await listening(server), connections: 1, tally: counts },
      source: () => finite(1),
    })
    const sent = await load.stop()
    assert.equal(counts.totals(sent).failures, 1)
    assert.equal(counts.totals(sent).unansweredPoints, 3)
    server.close()
  })
})

describe('the MQTT load', () => {
  it('keeps its window full and gets an acknowledgement for every message', async () => {
    const { promise: enough, resolve } = Promise.withResolvers<void>()
    let [published, open, most] = [0, 0, 0]
    const server = net.createServer(socket => {
      let bytes = Buffer.alloc(0)
      socket.on('data', chunk => {
        bytes = Buffer.concat([bytes, chunk])
        const acks: number[] = []
        for (;;) {
          const connect = bytes[0] === 0x10
          if (bytes.length < 2) break
          const long = bytes[1] >= 128
          const length = long ? (bytes[1] & 127) | (bytes[2] << 7) : bytes[1]
          const head = long ? 3 : 2
          if (bytes.length < head + length) break
          if (connect) acks.push(0x20, 2, 0, 0)
          if (bytes[0] === 0x32) {
            const idAt = head + 2 + bytes.readUInt16BE(head)
            acks.push(0x40, 2, bytes[idAt], bytes[idAt + 1])
            published++
            most = Math.max(most, ++open)
            JSON.parse(bytes.toString('utf8', idAt + 2, head + length))
          }
          bytes = bytes.subarray(head + length)
        }
        // In any order, as a broker may.
        setImmediate(() => {
          open -= acks.length / 4
          socket.write(Buffer.from(acks))
        })
        if (published > 2000) resolve()
      })
    })
    const counts = tally()
    const load = await startMqttLoad({
      ...{ port: await listening(server), connections: 3, window: 16, devices: 30 },
      ...{ startMs: 1_700_000_000_000, tally: counts },
    })
    await enough
    const sent = await load.stop()
    const totals = counts.totals(sent)
    assert.equal(sent, published * 4)
    assert.equal(totals.acknowledgedPoints, sent)
    assert.equal(totals.failures, 0)
    assert.ok(most <= 48, `${most} in flight`)
    server.close()
  })
})
