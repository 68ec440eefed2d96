import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'

const POINTS = 5000
const MESSAGES = 10

/** Some 500 KB of events, and much less in the log. */
async function sendMany({ post }: TestHost): Promise<void> {
  for (let i = 0; i < MESSAGES; i++) {
    const timestamps = Array.from(
      { length: POINTS },
      (_, at) => 1_700_000_000_000 + i * POINTS + at,
    )
    const metrics = { m: timestamps.map((_, at) => at) }
    const { status } = await post('/api/v1/telemetry/batch', {
      device_id: 'd',
      timestamps,
      metrics,
    })
    assert.equal(status, 200)
  }
}

test('who missed more than is sent at once gets it in parts, none of it lost', async () => {
  const host = await testHost()
  await sendMany(host)
  const seen: string[] = []
  for (let part = 0; part < 2; part++) {
    const headers = { 'last-event-id': seen.at(-1) ?? '0-0' }
    const { statusCode, body } = await host.app.inject({ url: '/api/v1/live', headers })
    assert.equal(statusCode, 200)
    assert.ok(body.endsWith('\n\nretry: 0\n\n'), 'it comes back at once')
    assert.doesNotMatch(body, /event: gap/)
    assert.equal(body.match(/"timestamp"/g)?.length, POINTS * (body.match(/^id: /gm)?.length ?? 0))
    seen.push(...body.matchAll(/^id: (.+)$/gm).map(([, id]) => id))
  }
  assert.ok(seen.length >= 4)
  assert.deepEqual(
    seen,
    seen.map((_, i) => `0-${i + 1}`),
  )
  await host.app.close()
})
