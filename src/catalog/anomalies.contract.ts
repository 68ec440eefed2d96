import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Anomaly } from '../model/anomaly.ts'
import type { Anomalies, AnomalyQuery } from '../ports/anomalies.ts'
import { checkAt, type Check, type Place } from './contract-place.ts'

const TIME = 1_767_225_600_000_001

export function anAnomaly(fields: Partial<Anomaly> = {}): Anomaly {
  return {
    ...{ tenant: 'default', device: 'pump-1', metric: 'temperature', timeUs: TIME },
    ...{ detector: 'rolling-deviation', severity: 'high', value: 80.5, average: 21.25 },
    ...{ deviationPct: 278.8, score: 12.5 },
    ...fields,
  }
}

const ALL: AnomalyQuery = {
  tenant: 'default',
  range: { start: 0, end: Number.MAX_SAFE_INTEGER },
  limit: 1000,
}

/** What every keeper of anomalies has to keep; the same suite runs against each engine. */
export function anomaliesContract(name: string, place: () => Promise<Place<Anomalies>>): void {
  const check = checkAt(place)
  describe(`the ${name} anomalies`, () => {
    savingChecks(check)
    readingChecks(check)
    trimmingChecks(check)
    check('refuses every call once it is closed, and may be closed again', async anomalies => {
      await anomalies.close()
      await anomalies.close()
      const closed = { kind: 'closed' }
      await assert.rejects(anomalies.save([anAnomaly()]), closed)
      await assert.rejects(anomalies.save([]), closed)
      await assert.rejects(anomalies.sync(), closed)
      await assert.rejects(anomalies.find(ALL), closed)
      await assert.rejects(anomalies.countByDevice('default'), closed)
      await assert.rejects(anomalies.trim({ beforeUs: 0, maxPerTenant: 1 }), closed)
    })
  })
}

function savingChecks(check: Check<Anomalies>): void {
  check('returns an anomaly exactly as saved', async anomalies => {
    const full = anAnomaly({ device: 'äöü "quoted" 🌡️', metric: 'a.b', value: -1e300 })
    const bare = anAnomaly({ timeUs: TIME - 1, average: 0, deviationPct: undefined })
    await anomalies.save([full, bare])
    await anomalies.sync()
    assert.deepEqual(await anomalies.find(ALL), [full, bare])
  })
  check('saving one again replaces it', async anomalies => {
    await anomalies.save([anAnomaly({ severity: 'low' }), anAnomaly({ severity: 'medium' })])
    await anomalies.save([anAnomaly({ value: 3 })])
    await anomalies.save([anAnomaly({ value: 3 })])
    assert.deepEqual(await anomalies.find(ALL), [anAnomaly({ value: 3 })])
  })
  check('one point may be unusual to several detectors', async anomalies => {
    await anomalies.save([anAnomaly({ detector: 'a' }), anAnomaly({ detector: 'b' })])
    assert.equal((await anomalies.find(ALL)).length, 2)
  })
  check('saves thousands while the event loop turns', async anomalies => {
    let turns = 0
    let watching = true
    const watch = (): void => {
      turns++
      if (watching) setImmediate(watch)
    }
    setImmediate(watch)
    await anomalies.save(Array.from({ length: 5000 }, (_, i) => anAnomaly({ timeUs: TIME + i })))
    watching = false
    assert.equal((await anomalies.countByDevice('default')).get('pump-1'), 5000)
    assert.ok(turns > 0, `the event loop turned ${turns} times`)
  })
}

function readingChecks(check: Check<Anomalies>): void {
  check('finds by device, metric, severity and time, newest first', async anomalies => {
    const a = anAnomaly({ device: 'a', timeUs: 10, severity: 'low' })
    const b = anAnomaly({ device: 'b', timeUs: 20, metric: 'm' })
    const c = anAnomaly({ device: 'c', timeUs: 30, severity: 'critical' })
    await anomalies.save([b, a, c])
    const find = (query: Partial<AnomalyQuery>) => anomalies.find({ ...ALL, ...query })
    assert.deepEqual(await find({}), [c, b, a])
    assert.deepEqual(await find({ limit: 2 }), [c, b])
    assert.deepEqual(await find({ devices: ['a', 'c'] }), [c, a])
    assert.deepEqual(await find({ devices: [] }), [])
    assert.deepEqual(await find({ metrics: ['m'] }), [b])
    assert.deepEqual(await find({ severities: ['low', 'critical'] }), [c, a])
    assert.deepEqual(await find({ range: { start: 10, end: 30 } }), [b, a])
    assert.deepEqual(await find({ devices: ['a', 'b'], severities: ['low'] }), [a])
  })
  check('pages through all of them, each once, whatever they share', async anomalies => {
    const all = [1, 2, 3].flatMap(timeUs =>
      ['a', 'b'].flatMap(device => [
        anAnomaly({ timeUs, device, metric: 'm' }),
        anAnomaly({ timeUs, device, metric: 'n' }),
        anAnomaly({ timeUs, device, metric: 'n', detector: 'z' }),
      ]),
    )
    await anomalies.save(all)
    const seen: Anomaly[] = []
    for (let after: Anomaly | undefined; ;) {
      const page = await anomalies.find({ ...ALL, limit: 4, after })
      if (page.length === 0) break
      seen.push(...page)
      after = page[page.length - 1]
    }
    assert.deepEqual(seen, await anomalies.find(ALL))
    assert.equal(seen.length, all.length)
    assert.equal(new Set(seen.map(each => JSON.stringify(each))).size, all.length)
  })
  check('keeps tenants apart', async anomalies => {
    await anomalies.save([anAnomaly({ tenant: 'a' }), anAnomaly({ tenant: 'b', value: 2 })])
    assert.deepEqual(await anomalies.find({ ...ALL, tenant: 'a' }), [anAnomaly({ tenant: 'a' })])
    assert.deepEqual(await anomalies.find(ALL), [])
    assert.deepEqual([...(await anomalies.countByDevice('b'))], [['pump-1', 1]])
    assert.equal((await anomalies.countByDevice('c')).size, 0)
  })
  check('counts by device, of all devices or of some', async anomalies => {
    const of = (device: string, timeUs: number) => anAnomaly({ device, timeUs })
    await anomalies.save([of('a', 1), of('a', 2), of('b', 1), of('c', 1)])
    const all = await anomalies.countByDevice('default')
    assert.deepEqual(
      [...all].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      [
        ['a', 2],
        ['b', 1],
        ['c', 1],
      ],
    )
    const some = await anomalies.countByDevice('default', ['a', 'x'])
    assert.deepEqual([...some], [['a', 2]])
  })
}

function trimmingChecks(check: Check<Anomalies>): void {
  const trimAll = async (anomalies: Anomalies, beforeUs: number, maxPerTenant: number) => {
    let removed = 0
    for (;;) {
      const some = await anomalies.trim({ beforeUs, maxPerTenant })
      if (some === 0) return removed
      removed += some
    }
  }
  check('removes what is too old, and the oldest beyond the bound of a tenant', async anomalies => {
    const of = (tenant: string, count: number) =>
      Array.from({ length: count }, (_, i) => anAnomaly({ tenant, timeUs: 1000 + i }))
    await anomalies.save([...of('a', 3000), ...of('b', 5)])
    assert.equal(await trimAll(anomalies, 1001, 10), 2991)
    const left = await anomalies.find({ ...ALL, tenant: 'a' })
    assert.deepEqual(
      left.map(({ timeUs }) => timeUs),
      Array.from({ length: 10 }, (_, i) => 3999 - i),
    )
    assert.equal((await anomalies.find({ ...ALL, tenant: 'b' })).length, 4)
    assert.equal(await trimAll(anomalies, 1001, 10), 0)
  })
}
