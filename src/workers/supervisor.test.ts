import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { until } from '../../test/fixtures/until.ts'
import { freePort } from '../../test/fixtures/weir-process.ts'
import type { ScalingPolicy } from './autoscale.ts'
import { forkWorkers } from './child.ts'
import type { Answer } from './messages.ts'
import { ScriptedChild } from './scripted-child.fixture.ts'
import { Supervisor } from './supervisor.ts'
import type { TestPlan } from '../../test/fixtures/supervised-worker.ts'
import { WorkerError } from './worker-slot.ts'

const fork = forkWorkers(new URL('../../test/fixtures/supervised-worker.ts', import.meta.url))
const restarts = { firstMs: 5, lastMs: 20, patienceMs: 50, settledMs: 60_000, maxEarlyEnds: 3 }

interface Options extends Partial<TestPlan> {
  readonly scaling?: Partial<ScalingPolicy>
  readonly drainMs?: number
}

async function supervised(t: TestContext, options: Options = {}) {
  const { scaling, drainMs = 5000, ...rest } = options
  const folder = mkdtempSync(join(tmpdir(), 'weir-supervise-'))
  const startsFile = join(folder, 'starts')
  const port = await freePort()
  const lines: string[] = []
  const log = (fields: object, message: string): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`)
  const clock = fakeClock()
  const policy = { min: 2, max: 2, targetCpuPct: 50, cooldownMs: 10_000, ...scaling }
  const supervisor = new Supervisor({
    groups: [
      {
        ...{ kind: 'gateway', overlaps: true, scaling: policy },
        planOf: () => ({ port, startsFile, ...rest }) satisfies TestPlan,
      },
    ],
    ...{ fork, clock, drainMs, restarts, stopTimeoutMs: 5000 },
    logger: { info: log, warn: log, error: log },
  })
  t.after(async () => {
    await supervisor.stop()
    rmSync(folder, { recursive: true })
  })
  const get = (path: string, agent?: Agent): Promise<string> => ask(port, path, agent)
  return {
    ...{ supervisor, clock, lines, get },
    starts: () => readFileSync(startsFile, 'utf8').trim().split('\n').length,
    /** The processes that answer, found by asking often. */
    async pids(): Promise<Set<string>> {
      return new Set(await Promise.all(Array.from({ length: 40 }, () => get('/pid'))))
    },
  }
}

function ask(port: number, path: string, agent: Agent | false = false): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const sent = request({ host: '127.0.0.1', port, path, agent }, response => {
    let text = ''
    response.setEncoding('utf8').on('data', (part: string) => (text += part))
    response.on('end', () => resolve(text))
    response.on('error', reject)
  })
  sent.on('error', reject).end()
  return promise
}

test('the connections of one port go to all workers', { timeout: 60_000 }, async t => {
  const { supervisor, pids } = await supervised(t)
  await supervisor.start()
  assert.equal((await pids()).size, 2)
})

test(
  'under load with old and new connections a rolling restart loses no request',
  {
    timeout: 120_000,
  },
  async t => {
    const { supervisor, get, pids, starts } = await supervised(t)
    await supervisor.start()
    const before = await pids()
    let isDone = false
    let answered = 0
    const failures: unknown[] = []
    const client = async (agent?: Agent): Promise<void> => {
      while (!isDone) {
        await get('/pid', agent).then(
          () => answered++,
          error => failures.push(error),
        )
      }
    }
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    t.after(() => agent.destroy())
    const clients = Array.from({ length: 24 }, (_, i) => client(i < 16 ? agent : undefined))
    for (let round = 0; round < 2; round++) await supervisor.restart()
    isDone = true
    await Promise.all(clients)
    assert.deepEqual(failures, [])
    assert.ok(answered > 100, `${answered} requests`)
    assert.equal(starts(), 6)
    for (const pid of await pids()) assert.ok(!before.has(pid))
  },
)

test(
  'a worker that dies is started again, and the other one answers meanwhile',
  {
    timeout: 60_000,
  },
  async t => {
    const { supervisor, pids, lines, starts } = await supervised(t)
    await supervisor.start()
    const [victim] = await pids()
    process.kill(Number(victim), 'SIGKILL')
    await until('it is back', () => lines.some(line => line.startsWith('a worker is back')))
    const now = await pids()
    assert.equal(now.size, 2)
    assert.ok(!now.has(victim))
    assert.equal(starts(), 3)
    assert.match(lines[0], /a worker died.*SIGKILL/)
  },
)

test(
  'a connection that a dying worker had not taken is closed, so that its client tries again',
  { timeout: 60_000 },
  async t => {
    const { supervisor, get } = await supervised(t)
    await supervisor.start()
    const blocked = Number(await get('/block'))
    // One of them goes to the worker that takes nothing any more.
    const outcomes: string[] = []
    const asked = Array.from({ length: 4 }, () =>
      get('/pid').then(
        () => void outcomes.push('answered'),
        (error: NodeJS.ErrnoException) => void outcomes.push(error.code ?? 'closed'),
      ),
    )
    await until('the others are answered', () => outcomes.length === 3)
    assert.deepEqual(new Set(outcomes), new Set(['answered']))
    process.kill(blocked, 'SIGKILL')
    await Promise.all(asked)
    assert.equal(outcomes[3], 'ECONNRESET')
  },
)

test(
  'a worker that ends again and again ends the supervisor, with the reason',
  {
    timeout: 60_000,
  },
  async t => {
    const { supervisor, get, lines } = await supervised(t, { scaling: { min: 1, max: 1 } })
    await supervisor.start()
    const failed = supervisor.failed
    const died = (): number => lines.filter(line => line.startsWith('a worker died')).length
    for (let ends = 1; ends <= restarts.maxEarlyEnds; ends++) {
      await until('it is there and told to end', () =>
        get('/exit').then(
          () => true,
          () => false,
        ),
      )
      await until('it is gone', () => died() === ends)
    }
    assert.match((await failed).message, /gateway-1 ended 3 times, .*: exit code 3/)
  },
)

test(
  'workers that cannot start fail the start with their own reason and exit code',
  {
    timeout: 60_000,
  },
  async t => {
    const { supervisor } = await supervised(t, { exitCode: 6 })
    await assert.rejects(supervisor.start(), (error: unknown) => {
      assert.ok(error instanceof WorkerError)
      assert.equal(error.message, 'it was told to')
      assert.equal(error.exitCode, 6)
      return true
    })
  },
)

test(
  'load adds workers, one decision at a time, and takes them away one by one',
  {
    timeout: 60_000,
  },
  async t => {
    const scaling = { min: 1, max: 3 }
    const { supervisor, clock, lines, starts, pids } = await supervised(t, { scaling, cpuPct: 100 })
    await supervisor.start()
    assert.equal((await pids()).size, 1)
    const decisions = (): string[] => lines.filter(line => line.startsWith('scaling'))
    await until('a decision', () => {
      clock.advance(5000)
      return decisions().length > 0
    })
    assert.match(decisions()[0], /"from":1,"to":2,"cpuPct":100,"why":"above target"/)
    await until('the worker is there', () => starts() === 2)
    await until('another', () => {
      clock.advance(5000)
      return decisions().length > 1
    })
    assert.match(decisions()[1], /"from":2,"to":3/)
    await until('all answer', async () => (await pids()).size === 3)
  },
)

test(
  'what one worker says, those hear who want it, and any of them answers for all',
  {
    timeout: 60_000,
  },
  async t => {
    const { supervisor, get, pids } = await supervised(t)
    await supervisor.start()
    const agents = [
      new Agent({ keepAlive: true, maxSockets: 1 }),
      new Agent({ keepAlive: true, maxSockets: 1 }),
    ]
    t.after(() => agents.forEach(agent => agent.destroy()))
    const [one, two] = agents
    const [pidOne, pidTwo] = [await get('/pid', one), await get('/pid', two)]
    assert.notEqual(pidOne, pidTwo, 'one connection each')
    assert.equal(await get('/wants', one), 'false')
    await get('/say/nobody-listens', one)
    await get('/listen', two)
    await until('it is known', async () => (await get('/wants', one)) === 'true')
    assert.equal(await get('/wants', two), 'false', 'not its own wish')
    await get('/say/hello', one)
    await get('/say/not-to-itself', two)
    await until('it is heard', async () => (await get('/heard', two)) === '["hello"]')
    assert.equal(await get('/heard', one), '[]')
    const answers = JSON.parse(await get('/gather', one)) as Answer[]
    assert.deepEqual(
      answers.map(({ process }) => process),
      ['gateway-1', 'gateway-2'],
    )
    assert.deepEqual(new Set(answers.map(({ value }) => String(value))), await pids())
  },
)

test('of two workers that are added one that does not start leaves its name to the next', async t => {
  const children: ScriptedChild[] = []
  const clock = fakeClock()
  const supervisor = new Supervisor({
    groups: [
      {
        ...{ kind: 'gateway', overlaps: true, planOf: place => place },
        scaling: { min: 2, max: 4, targetCpuPct: 50, cooldownMs: 10_000 },
      },
    ],
    fork() {
      const child = new ScriptedChild(children.length + 1)
      children.push(child)
      return child
    },
    ...{ clock, drainMs: 1000, stopTimeoutMs: 1000 },
    logger: { info: () => {}, warn: () => {}, error: () => {} },
  })
  t.after(() => supervisor.stop())
  const started = supervisor.start()
  for (const child of children) child.becomesReady()
  await started
  const scaled = async (count: number): Promise<void> => {
    await until(`${count} processes were started`, () => {
      for (const child of children) child.usesCores(1)
      clock.advance(5000)
      return children.length === count
    })
  }
  await scaled(4)
  children[2].ends(1)
  children[3].becomesReady()
  await scaled(5)
  assert.deepEqual(
    children.map(({ name }) => name),
    ['gateway-1', 'gateway-2', 'gateway-3', 'gateway-4', 'gateway-3'],
  )
})
