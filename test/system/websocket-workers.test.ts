import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectAsync } from 'mqtt'
import { readPoints } from '../fixtures/read-back.ts'
import { scaledOut } from '../fixtures/roles-apart.ts'
import { NO_POSTGRES } from '../fixtures/postgres.ts'
import { eventually } from '../fixtures/until.ts'
import { weirClient } from '../fixtures/weir-client.ts'
import { lastFirst, startWeir } from '../fixtures/weir-process.ts'

/** Connections go to the workers in turn, so that each gets some. */
const CLIENTS = 6

test(
  'MQTT over WebSocket reaches the broker by any of the workers on a port',
  { skip: NO_POSTGRES, timeout: 240_000 },
  async context => {
    const t = lastFirst(context)
    const weir = await startWeir(t, { args: scaledOut(t) })
    const url = `${weir.url.replace('http', 'ws')}/mqtt`
    const heard: string[] = []
    const clients = []
    for (let i = 0; i < CLIENTS; i++) {
      const client = await connectAsync(url, { reconnectPeriod: 0, clientId: `client-${i}` })
      t.after(() => void client.end(true))
      client.on('message', topic => heard.push(topic))
      await client.subscribeAsync('news')
      clients.push(client)
    }
    for (const [i, client] of clients.entries()) {
      const payload = JSON.stringify({ timestamp: '2026-01-01T00:00:00Z', m: i })
      await client.publishAsync(`devices/d-${i}/telemetry`, payload, { qos: 1 })
    }
    // All of them are clients of one broker.
    await clients[0].publishAsync('news', 'x', { qos: 1 })
    await eventually(async () => assert.equal(heard.length, CLIENTS))
    const devices = clients.map((_, i) => `d-${i}`)
    const points = await readPoints(await weirClient(weir.url), devices)
    assert.equal(points.length, CLIENTS)
  },
)
