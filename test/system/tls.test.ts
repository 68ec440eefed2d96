import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { request, Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect, type PeerCertificate } from 'node:tls'
import { connectAsync } from 'mqtt'
import { runWeir, startWeir } from '../fixtures/weir-process.ts'
import { until } from '../fixtures/until.ts'

interface Certificates {
  readonly folder: string
  readonly ca: string
  /** Signs one more, as `NAME.pem` and `NAME.key`. */
  sign(name: string): void
}

/** An authority of its own for the test; undefined, with a skip, where there is no openssl. */
function authority(t: TestContext): Certificates | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'weir-tls-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  try {
    openssl(
      'req',
      '-x509',
      ...ec,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '2',
      '-subj',
      '/CN=ca',
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    t.skip('optional: needs openssl')
    return undefined
  }
  return {
    folder,
    ca: join(folder, 'ca.pem'),
    sign(name) {
      const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1'
      openssl(
        'req',
        ...ec,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
        '-addext',
        names,
      )
      openssl(
        ...[
          'x509',
          '-req',
          '-in',
          `${name}.csr`,
          '-CA',
          'ca.pem',
          '-CAkey',
          'ca.key',
          '-days',
          '2',
        ],
        ...['-CAcreateserial', '-copy_extensions', 'copy', '-out', `${name}.pem`],
      )
    },
  }
}

interface Answer {
  readonly status: number | undefined
  readonly text: string
}

interface Asked {
  readonly agent: Agent
  readonly key: string
  readonly port: number
}

/** Over a connection that is kept. */
function ask({ agent, key, port }: Asked, path: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST'
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const sent = request({ host: '127.0.0.1', port, path, method, agent, headers }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      answer.on('end', () => resolve({ status: answer.statusCode, text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

test('HTTPS and MQTT over TLS, with a key, and a certificate that is renewed', async t => {
  const made = authority(t)
  if (made === undefined) return
  const { folder, ca, sign } = made
  sign('first')
  sign('second')
  const cert = join(folder, 'server.pem')
  const certKey = join(folder, 'server.key')
  const install = (name: string): void => {
    renameSync(join(folder, `${name}.key`), certKey)
    renameSync(join(folder, `${name}.pem`), cert)
  }
  install('first')
  const tls = ['http', 'mqtt'].flatMap(door => [
    `--${door}.tls.certFile=${cert}`,
    `--${door}.tls.keyFile=${certKey}`,
  ])
  const args = ['--auth.mode=keys', ...tls, '--mqtt.tls.address=127.0.0.1:0']
  const weir = await startWeir(t, { args, scheme: 'https' })
  const created = await runWeir(['keys', 'create', '--data', weir.data])
  assert.equal(created.code, 0, created.stderr)
  const key = created.stdout.trim()
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(ca) })
  t.after(() => agent.destroy())
  const asked = { agent, key, port: weir.httpPort }
  await until(
    'the node knows the key',
    async () => (await ask(asked, '/api/v1/devices')).status === 200,
  )

  // The lane, then what is not the lane's, on one connection.
  const fresh = {
    ...asked,
    agent: new Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(ca) }),
  }
  t.after(() => fresh.agent.destroy())
  assert.equal((await ask(fresh, '/api/telemetry/pump', '{"flow":1}')).status, 201)
  assert.match((await ask(fresh, '/api/telemetry/latest/pump')).text, /"flow":1/)
  assert.equal((await ask(fresh, '/api/v1/devices')).status, 200)
  assert.equal((await ask({ ...fresh, key: 'wrong' }, '/api/telemetry/latest/pump')).status, 401)

  const [, port] = /mqtts:\/\/127\.0\.0\.1:(\d+)/.exec(weir.output()) ?? []
  const mqtt = await connectAsync(`mqtts://127.0.0.1:${port}`, {
    ...{ username: key, ca: readFileSync(ca), reconnectPeriod: 0 },
  })
  t.after(() => mqtt.endAsync(true))
  await mqtt.publishAsync('devices/pump/flow', '2', { qos: 1 })
  assert.match((await ask(fresh, '/api/telemetry/latest/pump')).text, /"flow":2/)
  const webSocket = await connectAsync(`wss://127.0.0.1:${weir.httpPort}/mqtt`, {
    ...{ username: key, ca: readFileSync(ca), reconnectPeriod: 0 },
  })
  t.after(() => webSocket.endAsync(true))
  await webSocket.publishAsync('devices/pump/flow', '3', { qos: 1 })

  const subject = (at: number) => subjectAt(at, readFileSync(ca))
  assert.equal(await subject(weir.httpPort), 'first')
  install('second')
  await until('the new certificate', async () => {
    return (await subject(weir.httpPort)) === 'second' && (await subject(Number(port))) === 'second'
  })
  assert.ok(mqtt.connected, 'connections stay')
  assert.equal((await weir.stop()).code, 0)
})

test('where client certificates are asked for, nobody comes in without one', async t => {
  const made = authority(t)
  if (made === undefined) return
  const { folder, ca, sign } = made
  sign('server')
  sign('client')
  const args = [
    ...[`--mqtt.tls.certFile=${join(folder, 'server.pem')}`, '--mqtt.tls.requestCert'],
    ...[`--mqtt.tls.keyFile=${join(folder, 'server.key')}`, `--mqtt.tls.caFile=${ca}`],
    '--mqtt.tls.address=127.0.0.1:0',
  ]
  const weir = await startWeir(t, { args })
  const [, port] = /mqtts:\/\/127\.0\.0\.1:(\d+)/.exec(weir.output()) ?? []
  const url = `mqtts://127.0.0.1:${port}`
  const options = { ca: readFileSync(ca), reconnectPeriod: 0, connectTimeout: 20_000 }
  await assert.rejects(connectAsync(url, options))
  const client = await connectAsync(url, {
    ...options,
    cert: readFileSync(join(folder, 'client.pem')),
    key: readFileSync(join(folder, 'client.key')),
  })
  await client.publishAsync('devices/pump/flow', '1', { qos: 1 })
  await client.endAsync()
})

test('files that are no certificates are a configuration error that names them', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-tls-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const up = (...args: string[]) =>
    runWeir([
      'up',
      '--data',
      join(folder, 'd'),
      '--http=127.0.0.1:0',
      '--mqtt=127.0.0.1:0',
      ...args,
    ])
  const missing = await up('--http.tls.certFile=/no/such.pem', '--http.tls.keyFile=/no/such.key')
  assert.equal(missing.code, 2, missing.stderr)
  assert.match(missing.stderr, /\/no\/such\.pem/)
  const half = await up('--http.tls.certFile=/no/such.pem')
  assert.equal(half.code, 2)
  assert.match(half.stderr, /http\.tls\.keyFile/)
})

/** The common name in the certificate that a port shows now. */
function subjectAt(port: number, ca: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca }, () => {
      const certificate: PeerCertificate = socket.getPeerCertificate()
      resolve(String(certificate.subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}
