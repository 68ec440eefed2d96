import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loggableUrl } from './loggable-url.ts'

test('keys, passwords and tokens are masked, and nothing else', () => {
  const cases: [string, string][] = [
    ['/write?db=x&u=me&p=pass&precision=s', '/write?db=x&u=***&p=***&precision=s'],
    ['/write?p=pass', '/write?p=***'],
    ['/api/v1/k3y/telemetry', '/api/v1/***/telemetry'],
    ['/api/v1/k3y/telemetry?a=b', '/api/v1/***/telemetry?a=b'],
    ['/api/v1/k3y/attributes?clientKeys=a', '/api/v1/***/attributes?clientKeys=a'],
    ['/api/v1/telemetry/attributes', '/api/v1/telemetry/attributes'],
    ['/api/v1/telemetry?start=5', '/api/v1/telemetry?start=5'],
    ['/api/v1/devices/pump', '/api/v1/devices/pump'],
    ['/api/v1/telemetry/pump?metric=p', '/api/v1/telemetry/pump?metric=p'],
  ]
  for (const [url, shown] of cases) assert.equal(loggableUrl(url), shown)
})
