import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { dropSchema, NO_POSTGRES } from '../fixtures/postgres.ts'
import { ownRedis, postgresServer, redisServer } from '../fixtures/servers.ts'
import { until } from '../fixtures/until.ts'
import { lastFirst, startWeir, type WeirProcess } from '../fixtures/weir-process.ts'

const skip = NO_POSTGRES || redisServer().skip
const BEGUN_MS = Date.parse('2026-11-20T10:00:00Z')
const DEVICES = ['a', 'b', 'c', 'd']

/** Sends a point of each device, `second` after the beginning, through one of the processes. */
async function send({ url }: WeirProcess, second: number): Promise<void> {
  const points = DEVICES.map(device_id => ({
    ...{ device_id, timestamp: BEGUN_MS + 1000 * second, data: { value: second } },
  }))
  const answer = await fetch(`${url}/api/v1/telemetry`, {
    ...{ method: 'POST', body: JSON.stringify(points) },
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(answer.status, 200, await answer.text())
}

/** The newest value of every device, through two endpoints. */
async function newest({ url }: WeirProcess): Promise<number[]> {
  const json = async (path: string): Promise<never> =>
    (await (await fetch(`${url}${path}`)).json()) as never
  const of = DEVICES.map(async id => {
    const { value }: { value: number } = await json(`/api/telemetry/latest/${id}`)
    const rows: { data: { value: number }[] } = await json(
      `/api/v1/telemetry/${id}?metric=value&limit=1&order=desc`,
    )
    return [value, rows.data[0].value]
  })
  return (await Promise.all(of)).flat()
}

const all = (value: number): number[] => DEVICES.flatMap(() => [value, value])

test('two processes with memory and Redis in front of one PostgreSQL', { skip }, async t => {
  const lifetime = lastFirst(t)
  const schema = `cache_${randomBytes(6).toString('hex')}`
  lifetime.after(() => dropSchema(schema))
  const redis = await ownRedis(lifetime)
  const args = [
    ...['--log.engine=none', '--store.engine=postgres', '--catalog.engine=postgres'],
    ...['--cache.engine=tiered', '--cache.latestTtlMs=1h', '--cache.queryTtlMs=1h'],
    `--postgres.schema=${schema}`,
  ]
  const env = { WEIR_POSTGRES_URL: postgresServer().address, WEIR_REDIS_URL: redis.address }
  const both = [await startWeir(lifetime, { args, env }), await startWeir(lifetime, { args, env })]
  let second = 0
  /** Each writes and reads what it wrote at once; the other has it as soon as it has heard. */
  const takeTurns = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      for (const [i, one] of both.entries()) {
        await send(one, ++second)
        assert.deepEqual(await newest(one), all(second), `own, round ${round}`)
        // An older point of later arrival is not the newest.
        await send(one, second - 1)
        assert.deepEqual(await newest(one), all(second), `older, round ${round}`)
        const other = both[1 - i]
        await until('the other process reads it', async () =>
          (await newest(other)).every(value => value === second),
        )
      }
    }
  }
  await takeTurns(5)
  const isUp = async ({ url }: WeirProcess): Promise<boolean> =>
    (await (await fetch(`${url}/metrics`)).text()).includes('weir_redis_up{use="cache"} 1')
  const hits = async ({ url }: WeirProcess): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(/^cache_hits_total (\d+)$/m.exec(text)?.[1])
  }
  const before = await hits(both[0])
  await newest(both[0])
  assert.ok((await hits(both[0])) > before)

  await t.test('Redis stands still, and goes on', async () => {
    redis.pause()
    await takeTurns(3)
    redis.resume()
    await until('both use it again', async () => (await isUp(both[0])) && isUp(both[1]))
    await takeTurns(3)
  })
  await t.test('Redis is killed, and comes back empty', async () => {
    await redis.kill()
    await takeTurns(3)
    for (const { url } of both) {
      const { status, reasons } = (await (await fetch(`${url}/ready`)).json()) as never
      assert.equal(status, 'ready')
      assert.match(String(reasons), /Redis \(cache\) is not used/)
    }
    await redis.start()
    await until('both use it again', async () => (await isUp(both[0])) && isUp(both[1]))
    await takeTurns(3)
  })
})
