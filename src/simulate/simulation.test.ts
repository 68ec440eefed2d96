import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { NO_FAULTS } from './faults.ts'
import type { SimulateOptions } from './options.ts'
import { runSimulation } from './simulation.ts'

interface Item {
  device_id: string
  timestamp: string | number
  data: Record<string, number>
}

let server: Server
let target: string
let got: Item[]
let respond: (response: ServerResponse) => void
let folder: string

beforeEach(async () => {
  got = []
  respond = response => response.end('{}')
  server = createServer((request, response) => {
    void text(request).then(body => {
      got.push(...(JSON.parse(body) as Item[]))
      respond(response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  folder = mkdtempSync(join(tmpdir(), 'weir-simulation-'))
})
afterEach(() => {
  server.close()
  server.closeAllConnections()
  rmSync(folder, { recursive: true })
})

const options = (changes: Partial<SimulateOptions>): SimulateOptions => ({
  ...{
    protocol: 'http',
    target,
    devices: 5,
    metrics: 4,
    intervalMs: 20,
    durationMs: Infinity,
    seed: 1,
  },
  ...{ faults: NO_FAULTS, batch: 50, connections: 2, maxWaiting: 200 },
  ...{ replay: [], speed: 1, rebase: undefined, timeColumn: undefined, deviceColumn: undefined },
  ...changes,
})

function output(): { text: string; write(text: string): void } {
  const out = {
    text: '',
    write(text: string): void {
      out.text += text
    },
  }
  return out
}

describe('a simulation', () => {
  it('sends every reading of its time and says so', async () => {
    const out = output()
    const run = options({ metrics: 3, durationMs: 200 })
    assert.equal(await runSimulation(run, { out, stop: new AbortController().signal }), true)
    assert.equal(got.length, 50)
    assert.match(out.text, /5 devices × 3 metrics every 0\.02 s \(750 points\/s\)/)
    assert.match(out.text, /sent 150 points · acknowledged 150 .* errors 0 · 100% · 0s left/)
    assert.match(out.text, /^150 of 150 points acknowledged in .*, 0 refused, 0 errors$/m)
  })

  it('ends with what it has sent when it is stopped', async () => {
    const stop = new AbortController()
    respond = response => {
      response.end('{}')
      if (got.length >= 10) stop.abort()
    }
    const out = output()
    const complete = await runSimulation(options({ devices: 2, intervalMs: 10 }), {
      out,
      stop: stop.signal,
    })
    assert.equal(complete, true)
    const [, acknowledged, sent] = /^(\d+) of (\d+) points/m.exec(out.text) ?? []
    assert.equal(acknowledged, sent)
    assert.equal(Number(sent), got.length * 4)
  })

  it('is not complete when points were refused', async () => {
    respond = response => response.writeHead(400).end('no')
    const out = output()
    const run = options({ devices: 1, intervalMs: 50, durationMs: 50 })
    assert.equal(await runSimulation(run, { out, stop: new AbortController().signal }), false)
    assert.match(out.text, /last error: HTTP 400: no/)
  })

  it('replays recordings as they are, several at once', async () => {
    const paths = ['a', 'b'].map(name => join(folder, `${name}.csv`))
    const rows = Array.from({ length: 300 }, (_, i) => `${1_583_748_873 + i},${i / 8},${-i}`)
    for (const path of paths) writeFileSync(path, ['time,x y,z', ...rows].join('\n'))
    const out = output()
    const run = options({ replay: paths, speed: Infinity })
    assert.equal(await runSimulation(run, { out, stop: new AbortController().signal }), true)
    assert.match(out.text, /2 recordings/)
    const perDevice = Map.groupBy(got, item => item.device_id)
    assert.equal(perDevice.size, 2)
    for (const [device, items] of perDevice) {
      assert.match(device, /-[ab]$/)
      assert.deepEqual(
        items.map(item => [item.timestamp, item.data]),
        rows.map((_, i) => [
          new Date((1_583_748_873 + i) * 1000).toISOString(),
          { 'x y': i / 8, z: i === 0 ? 0 : -i },
        ]),
      )
    }
  })

  it('refuses two files that would be one device', async () => {
    const path = join(folder, 'a.csv')
    writeFileSync(path, 'time,v\n2020-01-01,1\n')
    const run = options({ replay: [path, path] })
    const io = { out: output(), stop: new AbortController().signal }
    await assert.rejects(runSimulation(run, io), /are both device/)
    assert.equal(got.length, 0)
  })
})
