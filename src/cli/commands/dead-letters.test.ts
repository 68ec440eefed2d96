import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { kafkaServer, natsServer } from '../../../test/fixtures/servers.ts'
import { logs } from '../../compose/engines.ts'
import { loadConfig } from '../../config/load.ts'
import { encodeFrame } from '../../model/frame.ts'
import { systemClock } from '../../ports/clock.ts'
import type { Log, LogEntry } from '../../ports/log.ts'
import { cli } from '../cli.ts'

type Env = Readonly<Record<string, string>>

async function run(env: Env, ...args: string[]) {
  let [out, err] = ['', '']
  const stdout = { write: (text: string) => void (out += text) }
  const stderr = { write: (text: string) => void (err += text) }
  const code = await cli(['dead-letters', ...args], { stdout, stderr, env, cwd: '/' })
  return { code, out, err }
}

async function openLog(env: Env): Promise<Log> {
  const outcome = loadConfig({ flags: [], env, cwd: '/' })
  assert.ok('config' in outcome, JSON.stringify(outcome))
  const { config } = outcome
  return logs[config.log.engine]({ config, clock: systemClock })
}

const frame = encodeFrame({
  ...{ tenant: 'acme', devices: ['pump-1', 'pump-2'], metrics: ['temperature'] },
  ...{ seriesDevice: Uint32Array.of(0, 1), seriesMetric: Uint32Array.of(0, 0) },
  seriesIndex: Uint32Array.of(0, 1, 0),
  timestamps: Float64Array.of(1.7e15, 1.7e15 + 1e6, 1.7e15 + 2e6),
  values: Float64Array.of(1, 2, 3),
})
const GOOD = { reason: 'the store does not want it', source: { partition: 0, offset: 7 } }
const BAD = { reason: 'no frame', source: { partition: 1, offset: 3 } }

const nats = natsServer()
const kafka = kafkaServer()
const name = `weir-test-${randomUUID()}`
const ENGINES: readonly [engine: string, skip: string | false, env: Env][] = [
  ['nats', nats.skip, { WEIR_NATS_SERVERS: nats.address, WEIR_NATS_PREFIX: name }],
  ['kafka', kafka.skip, { WEIR_KAFKA_BROKERS: kafka.address, WEIR_KAFKA_TOPIC: name }],
]

for (const [engine, skip, address] of ENGINES) {
  describe(`weir dead-letters on ${engine}`, { skip, timeout: 120_000 }, () => {
    it('lists, shows, replays and removes', async t => {
      const env = {
        ...{ ...address, WEIR_LOG_ENGINE: engine, WEIR_LOG_MAX_BYTES: '64MB' },
        ...{ WEIR_NATS_PARTITIONS: '2', WEIR_KAFKA_PARTITIONS: '2' },
      }
      const log = await openLog(env)
      t.after(() => log.close())
      assert.deepEqual(await run(env, 'list'), {
        ...{ code: 0, out: 'There are no dead letters.\n', err: '' },
      })
      await log.deadLetters?.put([{ ...GOOD, bytes: frame, group: 'writer' }])
      await log.deadLetters?.put([{ ...BAD, bytes: Buffer.from('hello\n'), group: 'writer' }])

      const listed = await run(env, 'list', '--json')
      const [good, bad] = listed.out
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as { id: string; time: string; unreadable?: string })
      assert.match(good.time, /^20\d\d-/)
      assert.deepEqual(
        { ...good, time: '' },
        {
          ...{ id: good.id, time: '', reason: GOOD.reason, group: 'writer', ...GOOD.source },
          ...{ bytes: frame.length, tenant: 'acme', points: 3, devices: ['pump-1', 'pump-2'] },
          ...{ metrics: ['temperature'] },
          ...{ first: '2023-11-14T22:13:20.000Z', last: '2023-11-14T22:13:22.000Z' },
        },
      )
      assert.match(bad.unreadable ?? '', /6 bytes are fewer than a header/)
      const { out: text } = await run(env, 'list')
      assert.match(text, /holds {6}3 points of 2 devices of tenant acme, 2023-11-14T22:13:20/)
      assert.match(
        text,
        /reason {5}the store does not want it\n {2}position {3}partition 0, offset 7/,
      )
      assert.match((await run(env, 'show', good.id)).out, /devices {4}pump-1, pump-2\n/)
      assert.match((await run(env, 'show', bad.id)).out, /0000 {2}68 65 6c 6c 6f 0a +hello\.\n/)
      const shown = JSON.parse((await run(env, 'show', good.id, '--json')).out) as object
      assert.deepEqual(shown, { ...good, base64: Buffer.from(frame).toString('base64') })

      const missing = await run(env, 'replay', good.id, 'nobody')
      assert.equal(missing.code, 7)
      assert.match(missing.err, /there is no dead letter nobody/)
      const replayed = await run(env, 'replay', '--all')
      assert.equal(replayed.code, 7)
      assert.equal(replayed.out, `${good.id} is in the log again.\n`)
      assert.match(replayed.err, new RegExp(`${bad.id} stays, for it is no frame`))
      const entries: LogEntry[] = []
      const deliver = (given: readonly LogEntry[]): void => void entries.push(...given)
      const subscription = await log.subscribe({ group: 'writer', from: [], deliver })
      await subscription.caughtUp
      const points = entries.flatMap(({ batch }) => [...batch.values])
      assert.deepEqual(
        points.toSorted((a, b) => a - b),
        [1, 2, 3],
      )

      assert.equal((await run(env, 'remove', bad.id)).code, 0)
      assert.equal((await run(env, 'list', '--json')).out, '')
    })
  })
}

it('says what is wrong with its command line, and that the embedded log has no dead letters', async () => {
  for (const [args, message] of [
    [[], /say what to do \(list, show, replay, remove\)/],
    [['lst'], /no such action: lst/],
    [['show'], /needs the id of a dead letter/],
    [['show', 'a', 'b'], /takes one id/],
    [['list', 'a'], /takes no ids: a/],
    [['replay', 'a', '--all'], /takes ids or --all, not both/],
    [['list'], /log\.engine embedded keeps no dead letters/],
  ] as const) {
    const { code, err } = await run({}, ...args)
    assert.equal(code, 2)
    assert.match(err, message)
  }
})
