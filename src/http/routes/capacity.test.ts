import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testHost } from '../../../test/fixtures/http-client.ts'

const PATH = '/api/v1/capacity'

test('a plan for 5000 devices, one sample a second, 90 days is the classic example', async () => {
  const host = await testHost()
  const body = { devices: 5000, samples_per_second: 1, metrics: 1, retention_days: 90 }
  const { status, json } = await host.post(PATH, body)
  assert.equal(status, 200)
  const { cores, memory_bytes, disk_bytes, network_bits_per_second, summary } = json.classic
  assert.deepEqual(
    [cores, memory_bytes, disk_bytes, network_bits_per_second],
    [4, 16e9, 1.944e12, 4e6],
  )
  assert.equal(summary, '4 cores, 16 GB memory, 1.94 TB disk, 4 Mbit/s, 21.6 GB a day')
  assert.equal(json.classic.stored_bytes_per_day, 21.6e9)
  assert.deepEqual([json.phase, json.topology, json.cores], ['production', 'embedded', 4])
  assert.deepEqual([json.measured, json.calibration, json.candidates], [null, null, []])
  assert.equal(json.rates.points_per_day, 432_000_000)
  await host.app.close()
})

test('what is not given has a default, and the answer says which', async () => {
  const host = await testHost()
  const { json } = await host.post(PATH, { devices: 7, payload_bytes: null })
  assert.deepEqual(json.demand, {
    ...{ devices: 7, samples_per_second: 1, metrics: 1, retention_days: 90 },
    ...{ queries_per_second: 0, peak_factor: 1, replicas: 1, payload_bytes: null },
  })
  await host.app.close()
})

test('every wrong field of a demand is named in one answer', async () => {
  const host = await testHost()
  const body = { metrics: 0, samples_per_second: 'often', peak_factor: 1e9, replicas: 1.5, rate: 1 }
  const { status, json } = await host.post(PATH, body)
  assert.equal(status, 400)
  const fields = (json.errors as { field: string }[]).map(({ field }) => field)
  assert.deepEqual(new Set(fields), new Set(['devices', ...Object.keys(body)]))
  assert.equal((await host.post(PATH, '{')).status, 400)
  assert.equal((await host.post(PATH, { devices: 1e9 })).status, 400)
  assert.equal((await host.get(PATH)).status, 405)
  await host.app.close()
})
