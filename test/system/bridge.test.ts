import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createServer } from 'node:tls'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { startBridgedWeir } from '../fixtures/bridged-weir.ts'
import { startMosquitto } from '../fixtures/mosquitto.ts'
import { noProgram } from '../fixtures/no-program.ts'
import { readPoints, readRows } from '../fixtures/read-back.ts'
import { until } from '../fixtures/until.ts'
import { settledLedger } from '../fixtures/weir-client.ts'
import { runWeir, startWeir } from '../fixtures/weir-process.ts'

// A whole node against a real Mosquitto.
const skip = noProgram('mosquitto')
const LIMIT = { timeout: 180_000 }

async function publisher(
  t: TestContext,
  url: string,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = await connectAsync(url, options)
  t.after(() => client.endAsync(true))
  return client
}

for (const version of ['v5', 'v3.1.1']) {
  test(
    `what Mosquitto has is read back over HTTP (MQTT ${version.slice(1)})`,
    { skip, ...LIMIT },
    async t => {
      const broker = await startMosquitto(t)
      const bridge = {
        ...{ name: 'plant', url: broker.url, version, clientId: 'weir' },
        topics: [
          { filter: 'devices/#' },
          { filter: 'iot/data' },
          { template: 'plant/{site}/{device_id}/{metric}', path: 'reading.value' },
        ],
      }
      const { client, connected, metrics } = await startBridgedWeir(t, [bridge])
      await connected()
      const sender = await publisher(t, broker.url)
      const send = (topic: string, payload: string): Promise<unknown> =>
        sender.publishAsync(topic, payload, { qos: 1 })
      await send(
        'devices/b1/telemetry',
        '{"t":21.5,"on":true,"m":{"rpm":9},"timestamp":1700000000}',
      )
      await send('devices/b1/level', '7.25')
      await send('iot/data', '{"device_id":"b2","sensor_type":"h","value":40}')
      await send('plant/north/b3/rpm', '{"reading":{"value":1200}}')
      await send('devices/b1/telemetry', 'no JSON')
      await send('devices/b1/too/deep', 'nothing that Weir knows')
      await until('all messages', async () => {
        const samples = await metrics()
        return samples.get('mqtt_bridge_messages_total{bridge="plant",kind="received"}') === 6
      })
      const points = await until('all points', async () => {
        const all = await readPoints(client, ['b1', 'b2', 'b3'])
        return all.length === 6 && all
      })
      assert.deepEqual(
        Object.fromEntries(
          points.map(({ device, metric, value }) => [`${device} ${metric}`, value]),
        ),
        { 'b1 t': 21.5, 'b1 on': 1, 'b1 m.rpm': 9, 'b1 level': 7.25, 'b2 h': 40, 'b3 rpm': 1200 },
      )
      await until('the site that the topic told', async () => {
        const device = (await client.read('/api/v1/devices/b3')) as { site: string | null }
        return device.site === 'north'
      })
      const samples = await metrics()
      const count = (kind: string): number | undefined =>
        samples.get(`mqtt_bridge_messages_total{bridge="plant",kind="${kind}"}`)
      assert.deepEqual(['stored', 'refused', 'ignored'].map(count), [4, 1, 1])
      const ledger = await settledLedger(client)
      assert.deepEqual([ledger.stored, ledger.rejected], [6, 1])
      const { text } = await client.get('/metrics')
      assert.match(text, /^telemetry_points_total\{door="bridge",outcome="accepted"\} 6$/m)
    },
  )
}

test('two bridges of a shared group take each message once', { skip, ...LIMIT }, async t => {
  const broker = await startMosquitto(t)
  const bridge = (n: number): object => ({
    ...{ name: `b${n}`, url: broker.url, clientId: `weir-${n}`, share: 'weir' },
  })
  const one = await startBridgedWeir(t, [bridge(1)])
  const two = await startBridgedWeir(t, [bridge(2)])
  await Promise.all([one.connected(), two.connected()])
  const sender = await publisher(t, broker.url)
  const count = 400
  for (let i = 0; i < count; i++) {
    const payload = `{"n":${i},"timestamp":${1_700_000_000 + i}}`
    await sender.publishAsync('devices/shared/telemetry', payload, { qos: 1 })
  }
  const values = async (): Promise<unknown[][]> =>
    Promise.all(
      [one, two].map(async ({ client }) => (await readRows(client, 'shared')).map(({ n }) => n)),
    )
  const [first, second] = await until('all points', async () => {
    const all = await values()
    return all.flat().length >= count && all
  })
  assert.ok(first.length > 0 && second.length > 0, 'both get some')
  assert.deepEqual(
    [...first, ...second].map(Number).toSorted((a, b) => a - b),
    Array.from({ length: count }, (_, i) => i),
    'each message went to one of them',
  )
})

test('a broker that is away leaves the rest of Weir as it is', { skip, ...LIMIT }, async t => {
  const broker = await startMosquitto(t)
  await broker.kill()
  const bridge = { name: 'plant', url: broker.url, clientId: 'weir' }
  const { client, connected, metrics, weir } = await startBridgedWeir(t, [bridge])
  const ready = await until('a reason', async () => {
    const answer = (await client.read('/ready')) as { status: string; reasons: string[] }
    return /ECONNREFUSED/.test(answer.reasons.join()) && answer
  })
  assert.equal(ready.status, 'ready', 'Weir itself takes points')
  assert.match(ready.reasons[0], /^the bridge plant is not connected to 127\.0\.0\.1:\d+: connect/)
  assert.equal((await metrics()).get('mqtt_bridge_connected{bridge="plant"}'), 0)
  const answer = await client.post('/api/v1/telemetry', { device_id: 'direct', data: { a: 1 } })
  assert.equal(answer.status, 200)
  await broker.start()
  await connected()
  assert.deepEqual(await client.read('/ready'), { status: 'ready', reasons: [] })
  await broker.kill()
  assert.deepEqual(await weir.stop(), { code: 0, signal: null })
})

test(
  'a wrong password is in the log and at /ready, without the password',
  { skip, ...LIMIT },
  async t => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-password-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'users')
    writeFileSync(file, '')
    const made = spawnSync('mosquitto_passwd', ['-b', file, 'weir', 'the-right-one'])
    assert.equal(made.status, 0, String(made.stderr))
    const settings = ['allow_anonymous false', `password_file ${file}`]
    const broker = await startMosquitto(t, { settings })
    writeFileSync(join(folder, 'password'), 'the-wrong-one\n')
    const bridge = (version: string): object => ({
      ...{
        name: version.replace(/\W/g, ''),
        url: broker.url,
        version,
        clientId: `weir-${version}`,
      },
      ...{ username: 'weir', passwordFile: join(folder, 'password') },
    })
    const bridges = [bridge('v5'), bridge('v3.1.1')]
    const { client, connected, weir } = await startBridgedWeir(t, bridges)
    const { reasons } = await until('both reasons', async () => {
      const answer = (await client.read('/ready')) as { reasons: string[] }
      return answer.reasons.every(reason => /refused/.test(reason)) && answer
    })
    assert.match(reasons[0], /Connection refused: Not authorized/)
    assert.match(reasons[1], /Connection refused: Not authorized/)
    assert.match(weir.output(), /"bridge":"v311"[^\n]*Not authorized/)
    writeFileSync(join(folder, 'password'), 'the-right-one\n')
    await connected()
    assert.doesNotMatch(weir.output(), /the-(wrong|right)-one/)
  },
)

test('passwords are not shown by weir check', async () => {
  const bridges = [
    { name: 'a', url: 'mqtt://h', clientId: 'c', username: 'u', password: 'hush-hush' },
  ]
  const env = { WEIR_MQTT_BRIDGES: JSON.stringify(bridges) }
  const { code, stdout } = await runWeir(['check', '--json'], { env })
  assert.equal(code, 0)
  assert.match(stdout, /"password": "\(secret\)"/)
  assert.doesNotMatch(stdout, /hush-hush/)
})

const noOpenssl = noProgram('openssl')

test(
  'TLS with a client certificate, and nothing without one or from a stranger',
  { skip: skip === false ? noOpenssl : skip, ...LIMIT },
  async t => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-tls-'))
    t.after(() => rmSync(folder, { recursive: true }))
    makeAuthority(folder, 'ca')
    makeAuthority(folder, 'stranger')
    makeCertificate(folder, 'server', 'ca')
    makeCertificate(folder, 'weir', 'ca')
    const at = (name: string): string => join(folder, name)
    const settings = [
      ...[`cafile ${at('ca.pem')}`, `certfile ${at('server.pem')}`, `keyfile ${at('server.key')}`],
      ...['require_certificate true', 'use_identity_as_username true'],
    ]
    const broker = await startMosquitto(t, { settings, scheme: 'mqtts' })
    const bridge = (name: string, tls: object): object => ({
      ...{ name, url: broker.url, clientId: name, tls },
    })
    const own = { certFile: at('weir.pem'), keyFile: at('weir.key') }
    const { client, metrics } = await startBridgedWeir(t, [
      bridge('good', { ...own, caFile: at('ca.pem') }),
      bridge('anonymous', { caFile: at('ca.pem') }),
      bridge('misled', { ...own, caFile: at('stranger.pem') }),
      bridge('misnamed', { ...own, caFile: at('ca.pem'), serverName: 'broker.example' }),
      bridge('trusting', { ...own, rejectUnauthorized: false }),
    ])
    const problems = await until('a reason for each that cannot', async () => {
      const { reasons } = (await client.read('/ready')) as { reasons: string[] }
      return reasons.length === 3 && !/has not connected yet/.test(reasons.join()) && reasons
    })
    assert.match(problems[0], /^the bridge anonymous .*(alert|closed|reset|handshake)/)
    assert.match(problems[1], /^the bridge misled .*(self.signed|unable to verify)/i)
    assert.match(problems[2], /^the bridge misnamed .*does not match certificate/)
    const samples = await metrics()
    assert.equal(samples.get('mqtt_bridge_connected{bridge="good"}'), 1)
    assert.equal(samples.get('mqtt_bridge_connected{bridge="trusting"}'), 1)
    const [ca, cert, key] = ['ca.pem', 'weir.pem', 'weir.key'].map(name => readFileSync(at(name)))
    const sender = await publisher(t, broker.url, { ca, cert, key })
    await sender.publishAsync('devices/sealed/a', '1', { qos: 1 })
    await until('the point', async () => (await readRows(client, 'sealed')).length > 0)
  },
)

test(
  'ALPN and the name of the host are part of the handshake',
  { skip: noOpenssl, ...LIMIT },
  async t => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-alpn-'))
    t.after(() => rmSync(folder, { recursive: true }))
    makeAuthority(folder, 'ca')
    makeCertificate(folder, 'server', 'ca')
    const [ca, cert, key] = ['ca.pem', 'server.pem', 'server.key'].map(name => join(folder, name))
    const seen: unknown[] = []
    const files = { cert: readFileSync(cert), key: readFileSync(key) }
    const server = createServer({ ...files, ALPNProtocols: ['x-amzn-mqtt-ca'] }, socket => {
      seen.push([socket.alpnProtocol, (socket as { servername?: unknown }).servername])
      socket.on('error', () => {})
      socket.destroy()
    })
    server.listen(0, '127.0.0.1')
    await until('it listens', () => server.listening)
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const bridge = { name: 'aws', url: `mqtts://localhost:${port}`, clientId: 'weir' }
    const { client } = await startBridgedWeir(t, [
      { ...bridge, tls: { alpn: 'x-amzn-mqtt-ca', caFile: ca } },
    ])
    await until('a handshake', () => seen.length > 0)
    assert.deepEqual(seen[0], ['x-amzn-mqtt-ca', 'localhost'])
    await until('the reason', async () => {
      const { reasons } = (await client.read('/ready')) as { reasons: string[] }
      return /the broker closed the connection/.test(reasons.join())
    })
  },
)

test('a Weir can be the broker, over WebSocket too', LIMIT, async t => {
  const broker = await startWeir(t)
  const bridge = { version: 'v3.1.1', topics: [{ filter: 'devices/#' }] }
  const { client, connected } = await startBridgedWeir(t, [
    { ...bridge, name: 'tcp', clientId: 'tcp', url: broker.mqttUrl },
    { ...bridge, name: 'web', clientId: 'web', url: `${broker.url.replace('http', 'ws')}/mqtt` },
  ])
  await connected()
  const sender = await publisher(t, broker.mqttUrl)
  const payload = '{"a":1,"timestamp":1700000000}'
  await sender.publishAsync('devices/w/telemetry', payload, { qos: 1 })
  await until('both bridges have it', async () => {
    const { text } = await client.get('/metrics')
    return [...text.matchAll(/kind="stored"\} 1$/gm)].length === 2
  })
  const rows = await readRows(client, 'w')
  assert.deepEqual(
    rows.map(({ a }) => a),
    [1],
    'which is one point',
  )
})

function openssl(folder: string, args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function makeAuthority(folder: string, name: string): void {
  const out = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '2']
  openssl(folder, ['req', '-x509', ...NEW_KEY, ...out, '-subj', `/CN=${name}`])
}

function makeCertificate(folder: string, name: string, authority: string): void {
  const request = ['-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`]
  openssl(folder, ['req', ...NEW_KEY, ...request])
  writeFileSync(join(folder, `${name}.ext`), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  const signed = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-days', '2', '-CAcreateserial']
  const by = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`]
  openssl(folder, ['x509', '-req', ...signed, ...by, '-extfile', `${name}.ext`])
}
