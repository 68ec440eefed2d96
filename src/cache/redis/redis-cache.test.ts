import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { noProgram } from '../../../test/fixtures/no-program.ts'
import { startRedis } from '../../../test/fixtures/redis.ts'
import { textOf } from '../../../test/fixtures/tiered-cache.ts'
import { cacheContract } from '../cache.contract.ts'
import { RedisCache } from './redis-cache.ts'

const skip = noProgram('redis-server')
const shared = skip === false ? await startRedis({ after }) : undefined

cacheContract({
  name: 'Redis',
  skip,
  open: async () => {
    const options = { url: shared?.url ?? '', commandTimeoutMs: 1000 }
    const cache = await RedisCache.open({ ...options, keyPrefix: `${randomUUID()}:` })
    return { cache, pass: delay }
  },
})

test('nothing waits for a Redis that takes connections and says nothing', async t => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await new Promise(resolve => silent.once('listening', resolve))
  const { port } = silent.address() as AddressInfo
  const url = `redis://:hush@127.0.0.1:${port}`
  const cache = await RedisCache.open({ url, keyPrefix: 'w:', commandTimeoutMs: 60_000 })
  t.after(async () => {
    await cache.close()
    silent.close()
  })
  for (let i = 0; i < 1000; i++) assert.equal(await textOf(cache, `s${i}`), undefined)
  await cache.invalidate(['a'])
  assert.equal(cache.health().timeouts, 0)
  assert.doesNotMatch(cache.health().problem ?? '', /hush/)
})
