import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { noProgram } from '../../test/fixtures/no-program.ts'
import { natsServer, redisServer } from '../../test/fixtures/servers.ts'
import { until } from '../../test/fixtures/until.ts'
import { lastFirst, type Lifetime } from '../../test/fixtures/weir-process.ts'
import { askPort } from './ask-port.ts'
import { kafkaPrograms } from './kafka-home.ts'
import { provideNats, syncsAlways } from './nats-server.ts'
import { processStart } from './process-start.ts'
import type { ProvidedServer, ServerKind } from './provided-server.ts'
import { provideRedis } from './redis-server.ts'
import { runServer } from './server-process.ts'
import { readState, writeState } from './server-state.ts'

const LIMIT = { timeout: 120_000, skip: redisServer().skip }
/** A process that has a Redis in the folder it is given, until it is killed. */
const OWNER = `
  import { provideRedis } from ${JSON.stringify(join(import.meta.dirname, 'redis-server.ts'))}
  const [directory] = process.argv.slice(1)
  const { port, pid } = await provideRedis({ directory, report() {} })
  console.log(JSON.stringify({ port, pid }))
`

function folder(lifetime: Lifetime): string {
  const path = mkdtempSync(join(tmpdir(), 'weir-provide-'))
  lifetime.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

interface Provided {
  readonly server: ProvidedServer
  readonly reports: readonly string[]
}

async function redis(lifetime: Lifetime, directory: string, restarts = false): Promise<Provided> {
  const reports: string[] = []
  const report = (message: string): void => void reports.push(message)
  const server = await provideRedis({ directory, report, restarts })
  lifetime.after(() => server.stop())
  return { server, reports }
}

const answers = async (port: number): Promise<boolean> =>
  /NOAUTH/.test(String(await askPort(port, 'PING\r\n', () => true)))

test(
  'a server says where it is, without its password, which only its owner may read',
  LIMIT,
  async t => {
    const directory = join(folder(t), 'made')
    const { server, reports } = await redis(t, directory)
    const { port, address } = server
    const password = readFileSync(join(directory, 'password'), 'utf8').trim()
    assert.equal(address, `redis://:${password}@127.0.0.1:${port}`)
    assert.match(server.describe(), /^Redis \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+, data in \//)
    assert.ok(!server.describe().includes(password))
    for (const name of ['password', 'redis.conf']) {
      assert.equal(statSync(join(directory, name)).mode & 0o077, 0, name)
    }
    assert.ok(await answers(port))
    await server.stop()
    await server.stop()
    assert.equal(await answers(port), false)
    assert.deepEqual([reports, readState(directory)], [[], { port }])
  },
)

test(
  'a server ends with the process that started it, also when that is killed',
  LIMIT,
  async context => {
    const t = lastFirst(context)
    const directory = folder(t)
    const owner = spawn(process.execPath, ['--input-type=module', '-e', OWNER, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => void owner.kill('SIGKILL'))
    const [line] = (await once(owner.stdout, 'data')) as [Buffer]
    const { port, pid } = JSON.parse(line.toString()) as { port: number; pid: number }
    assert.ok(await answers(port))
    owner.kill('SIGKILL')
    await until('Redis has ended', () => processStart(pid) === undefined)
    const { server } = await redis(t, directory)
    assert.deepEqual([server.port, server.pid === pid], [port, false])
  },
)

test(
  'what an earlier run has left on the folder is stopped before the next start',
  LIMIT,
  async context => {
    const t = lastFirst(context)
    const directory = folder(t)
    const left = spawn('sleep', ['1000'])
    t.after(() => void left.kill('SIGKILL'))
    const pid = left.pid!
    writeState(directory, { port: 1, pid, started: processStart(pid)! })
    const { reports } = await redis(t, directory)
    assert.deepEqual([left.exitCode, left.signalCode], [null, 'SIGTERM'])
    assert.match(reports.join(), new RegExp(`left of an earlier run \\(process ${pid}\\)`))
  },
)

test(
  'another process that has the id of an ended server by now is left alone',
  LIMIT,
  async context => {
    const t = lastFirst(context)
    const directory = folder(t)
    const other = spawn('sleep', ['1000'])
    t.after(() => void other.kill('SIGKILL'))
    writeState(directory, { port: 1, pid: other.pid!, started: '1' })
    const { reports } = await redis(t, directory)
    assert.deepEqual([other.exitCode, other.signalCode, reports], [null, null, []])
  },
)

test('a port that somebody else has taken meanwhile is given up', LIMIT, async context => {
  const t = lastFirst(context)
  const directory = folder(t)
  const first = await redis(t, directory)
  await first.server.stop()
  const other = createServer(socket => socket.end('+PONG\r\n'))
  t.after(() => void other.close())
  other.listen(first.server.port, '127.0.0.1')
  await once(other, 'listening')
  const { server } = await redis(t, directory)
  assert.notEqual(server.port, first.server.port)
  assert.ok(await answers(server.port))
})

test('a server that ends by itself is started again, until it is to stop', LIMIT, async context => {
  const t = lastFirst(context)
  const { server, reports } = await redis(t, folder(t), true)
  const { port, pid } = server
  process.kill(pid, 'SIGKILL')
  await until('it is there again', () => server.pid !== pid && answers(port))
  assert.match(reports.join(), /ended by itself/)
  process.kill(server.pid, 'SIGKILL')
  await server.stop()
  assert.equal(await answers(port), false)
  assert.equal(processStart(server.pid), undefined)
})

test(
  'why a server does not start is told in its own words',
  {
    ...LIMIT,
    skip: natsServer().skip,
  },
  async t => {
    const directory = folder(t)
    writeFileSync(join(directory, 'streams'), 'no folder')
    await assert.rejects(provideNats({ directory, report() {} }), {
      name: 'WeirError',
      kind: 'retryable',
      message: /^NATS .* did not start\. .*server\.log ends with:\n.*not a directory/s,
    })
  },
)

test('a server that is late is killed, and nothing else stands still meanwhile', async t => {
  let asked = 0
  const late: ServerKind = {
    ...{ name: 'Late', title: 'Late 1', stopSignal: 'SIGTERM' },
    ...{ stopWithinMs: 1000, readyWithinMs: 0 },
    command: () => Promise.resolve({ program: 'sleep', args: ['1000'] }),
    isReady: () => {
      if (++asked > 1000) throw new Error('it is asked without a pause')
      return Promise.resolve(false)
    },
    address: String,
  }
  const directory = folder(t)
  await assert.rejects(runServer(late, { directory, report() {} }), {
    name: 'WeirError',
    kind: 'retryable',
    message: /^Late 1 did not start/,
  })
  assert.equal(processStart(readState(directory)!.pid!), undefined)
})

test('what has to be installed is told', async t => {
  const directory = folder(t)
  const names = ['PATH', 'JAVA_HOME'] as const
  const before = names.map(name => [name, process.env[name]] as const)
  t.after(() => Object.assign(process.env, Object.fromEntries(before.filter(([, text]) => text))))
  assert.throws(() => kafkaPrograms(directory), {
    kind: 'config',
    message: /there is no Kafka 4 in .*kafka\.home or KAFKA_HOME|Kafka needs Java 17/,
  })
  for (const name of names) process.env[name] = directory
  const options = { directory, report() {} }
  const missing = { name: 'WeirError', kind: 'config' }
  await assert.rejects(provideRedis(options), { ...missing, message: /install Redis.*redis\.url/ })
  assert.throws(() => kafkaPrograms(''), { ...missing, message: /Kafka needs Java 17.*no java/ })
})

test('from 2.10 on NATS can sync each message', () => {
  const versions = ['2.9.10', '2.10.0', '2.11.4', '3.0.0', '1.99.0']
  assert.deepEqual(versions.map(syncsAlways), [false, true, true, true, false])
})

test('a Kafka is known by its jar, and an old one is none', { skip: noProgram('java') }, t => {
  const home = folder(t)
  mkdirSync(join(home, 'libs'))
  writeFileSync(join(home, 'libs/kafka_2.13-3.9.0.jar'), '')
  assert.throws(() => kafkaPrograms(home), /there is no Kafka 4 in/)
  rmSync(join(home, 'libs/kafka_2.13-3.9.0.jar'))
  writeFileSync(join(home, 'libs/kafka_2.13-4.0.1.jar'), '')
  const { classPath, version } = kafkaPrograms(home)
  assert.deepEqual([classPath, version], [join(home, 'libs/*'), '4.0.1'])
})
