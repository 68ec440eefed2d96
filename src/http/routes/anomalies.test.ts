import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testHost, type TestHost } from '../../../test/fixtures/http-client.ts'
import type { Anomaly } from '../../model/anomaly.ts'
import { WeirError } from '../../ports/errors.ts'

async function withHost(run: (host: TestHost) => Promise<void>) {
  const host = await testHost()
  await run(host)
  await host.app.close()
}

const anomaly = (fields: Partial<Anomaly> = {}): Anomaly => ({
  ...{ tenant: 'default', device: 'pump 1', metric: 'temp', timeUs: 1_767_225_600_000_001 },
  ...{ detector: 'rolling-deviation', severity: 'high', value: 80.5, average: 20 },
  ...{ deviationPct: 302.5, score: 12.5 },
  ...fields,
})

const PATH = '/api/v1/analytics/anomalies'

test('anomalies come newest first, as they were found', () =>
  withHost(async ({ get, anomalies }) => {
    await anomalies.save([
      anomaly(),
      anomaly({ device: 'b', timeUs: 1, average: 0, deviationPct: undefined, score: Infinity }),
    ])
    const { status, json } = await get(PATH)
    assert.equal(status, 200)
    assert.deepEqual(json, {
      data: [
        {
          ...{ device_id: 'pump 1', metric: 'temp', timestamp: '2026-01-01T00:00:00.000001Z' },
          ...{ value: 80.5, severity: 'high', score: 12.5, rolling_avg: 20, deviation_pct: 302.5 },
          detector: 'rolling-deviation',
        },
        {
          ...{ device_id: 'b', metric: 'temp', timestamp: '1970-01-01T00:00:00.000001Z' },
          ...{ value: 80.5, severity: 'high', score: null, rolling_avg: 0, deviation_pct: null },
          detector: 'rolling-deviation',
        },
      ],
      next_cursor: null,
    })
  }))

test('all filters must fit, and each may be given more than once', () =>
  withHost(async ({ get, anomalies }) => {
    await anomalies.save([
      anomaly({ device: 'a', timeUs: 10e6, severity: 'low' }),
      anomaly({ device: 'b', timeUs: 20e6, metric: 'm', severity: 'critical' }),
      anomaly({ device: 'c', timeUs: 30e6 }),
      anomaly({ device: 'a', tenant: 'other' }),
    ])
    const found = async (query: string): Promise<string> => {
      const { json } = await get(`${PATH}?${query}`)
      return (json.data as { device_id: string }[]).map(each => each.device_id).join('')
    }
    assert.equal(await found(''), 'cba')
    assert.equal(await found('device_id=a&device_id=c'), 'ca')
    assert.equal(await found('metric=m'), 'b')
    assert.equal(await found('severity=low&severity=critical'), 'ba')
    assert.equal(await found('start=20&end=30'), 'b')
    assert.equal(await found('start=1970-01-01T00:00:20Z'), 'cb')
    assert.equal(await found('device_id=nobody'), '')
    assert.equal(await found('device_id=a&severity=critical'), '')
  }))

test('pages lead to every anomaly once', () =>
  withHost(async ({ get, anomalies }) => {
    const all = Array.from({ length: 7 }, (_, i) => anomaly({ device: `d${i}`, timeUs: 5 }))
    await anomalies.save(all)
    const seen: string[] = []
    let cursor = ''
    for (let pages = 1; ; pages++) {
      const { json } = await get(`${PATH}?limit=3${cursor}`)
      for (const { device_id } of json.data as { device_id: string }[]) seen.push(device_id)
      if (json.next_cursor === null) {
        assert.equal(pages, 3)
        break
      }
      cursor = `&cursor=${json.next_cursor}`
    }
    assert.deepEqual(seen, ['d6', 'd5', 'd4', 'd3', 'd2', 'd1', 'd0'])
  }))

test('what is wrong with a query is said by its parameter', () =>
  withHost(async ({ get }) => {
    for (const [query, field] of [
      ['severity=worst', 'severity'],
      ['limit=0', 'limit'],
      ['limit=10001', 'limit'],
      ['start=never', 'start'],
      ['end=never', 'end'],
      ['start=20&end=10', 'end'],
      ['cursor=%22', 'cursor'],
      [`cursor=${Buffer.from('[1,2,3,4]').toString('base64url')}`, 'cursor'],
      [`cursor=${Buffer.from('{"length":4}').toString('base64url')}`, 'cursor'],
      ['colour=red', 'colour'],
    ]) {
      const { status, json } = await get(`${PATH}?${query}`)
      assert.equal(status, 400, query)
      assert.equal(json.errors[0].field, field, query)
    }
  }))

test('while the anomalies cannot be read, that is said', () =>
  withHost(async ({ get, anomalies }) => {
    anomalies.failure = new WeirError('retryable', 'the catalog is busy')
    const { status, json, headers } = await get(PATH)
    assert.equal(status, 503)
    assert.equal(json.detail, 'the catalog is busy')
    assert.equal(headers['retry-after'], '1')
  }))
