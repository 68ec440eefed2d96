import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testHost } from '../../test/fixtures/http-client.ts'
import { loggableUrl } from './loggable-url.ts'

test('keys, passwords and tokens are masked, and nothing else', () => {
  const cases: [string, string][] = [
    ['/write?db=x&u=me&p=pass&precision=s', '/write?db=x&u=***&p=***&precision=s'],
    ['/write?p=pass', '/write?p=***'],
    ['/api/v1/k3y/telemetry', '/api/v1/***/telemetry'],
    ['/api/v1/k3y/telemetry?a=b', '/api/v1/***/telemetry?a=b'],
    ['/api/v1/k3y/attributes?clientKeys=a', '/api/v1/***/attributes?clientKeys=a'],
    ['/api/v1/k3y/rpc?timeout=5', '/api/v1/***/rpc?timeout=5'],
    ['/api/v1/k3y/telemetry/', '/api/v1/***/telemetry/'],
    ['/api/v1/k3y', '/api/v1/***'],
    ['/api/v1/telemetry2/x', '/api/v1/***/x'],
    ['/api/v1/telemetry/attributes', '/api/v1/telemetry/attributes'],
    ['/api/v1/telemetry?start=5', '/api/v1/telemetry?start=5'],
    ['/api/v1/devices/pump', '/api/v1/devices/pump'],
    ['/api/v1/telemetry/pump?metric=p', '/api/v1/telemetry/pump?metric=p'],
  ]
  for (const [url, shown] of cases) assert.equal(loggableUrl(url), shown)
})

test('the paths of all routes of Weir may be seen', async () => {
  const { app, get } = await testHost()
  const { paths } = (await get('/openapi.json')).json as { paths: object }
  const own = Object.keys(paths).filter(path => /^\/api\/v1\/[^{]/.test(path))
  assert.ok(own.length > 10)
  for (const path of own) assert.equal(loggableUrl(path), path)
  await app.close()
})
