import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { redisCli } from '../../../test/fixtures/redis-cli.ts'
import { redisServer } from '../../../test/fixtures/servers.ts'
import { textOf } from '../../../test/fixtures/tiered-cache.ts'
import { cacheContract } from '../cache.contract.ts'
import { RedisCache } from './redis-cache.ts'

const { address, skip } = redisServer()

cacheContract({
  name: 'Redis',
  skip,
  open: async () => {
    const options = { url: address, commandTimeoutMs: 1000 }
    const cache = await RedisCache.open({ ...options, keyPrefix: `${randomUUID()}:` })
    return { cache, pass: delay }
  },
})

test(
  'what was invalidated stays so when Redis needed the room of the generation',
  { skip },
  async t => {
    const keyPrefix = `${randomUUID()}:`
    const cache = await RedisCache.open({ url: address, commandTimeoutMs: 1000, keyPrefix })
    t.after(() => cache.close())
    const miss = await cache.get({ scopes: ['a'], name: '' })
    assert.ok(miss.value === undefined)
    await miss.keep?.(Buffer.from('old'), 60_000)
    assert.equal(await textOf(cache, 'a'), 'old')
    await cache.invalidate(['a'])
    assert.equal(redisCli(address, 'del', `${keyPrefix}g:a`), '1')
    assert.equal(await textOf(cache, 'a'), undefined)
    assert.equal(redisCli(address, 'del', `${keyPrefix}epoch`), '1')
    assert.equal(await textOf(cache, 'a'), undefined)
  },
)

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
