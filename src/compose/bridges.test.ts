import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../../test/fixtures/until.ts'
import { loadConfig } from '../config/load.ts'
import type { IngestGate } from '../ingest/gate.ts'
import { openBridges } from './bridges.ts'
import type { Core } from './core.ts'

test('bridges that were let go of connect again when they are opened again', async t => {
  const data = mkdtempSync(join(tmpdir(), 'weir-bridges-'))
  t.after(() => rmSync(data, { recursive: true }))
  let connections = 0
  const broker = createServer(socket => {
    connections++
    socket.on('error', () => {}).resume()
  })
  t.after(() => broker.close())
  await once(broker.listen(0, '127.0.0.1'), 'listening')
  const url = `mqtt://127.0.0.1:${(broker.address() as AddressInfo).port}`
  const bridge = { name: 'plant', url, clientId: 'weir', topics: [{ filter: 'devices/#' }] }
  const env = { WEIR_DATA: data, WEIR_MQTT_BRIDGES: JSON.stringify([bridge]) }
  const loaded = loadConfig({ flags: [], env, cwd: data })
  assert.ok('config' in loaded, JSON.stringify(loaded))
  const notes: (() => readonly string[])[] = []
  const logger = { child: () => logger, info: () => {}, warn: () => {} }
  const core = { logger, readiness: { note: (note: () => string[]) => notes.push(note) } }
  const parts = [core as unknown as Core, {} as IngestGate] as const
  const bridges = await openBridges(loaded.config, ...parts)
  t.after(() => bridges.close(0))
  const [first] = bridges.all
  await until('it connects', () => connections === 1)
  await bridges.close(0)
  await bridges.reopen()
  await until('it connects again', () => connections === 2)
  assert.equal(bridges.all.length, 1)
  assert.notEqual(bridges.all[0], first)
  assert.equal(notes.length, 1)
  // The end of the process overtakes it.
  const closed = bridges.close(0)
  const reopened = bridges.reopen()
  await Promise.all([bridges.close(0), closed, reopened])
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(connections, 2)
})
