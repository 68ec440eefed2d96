import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetricDeclaration } from '../model/product.ts'
import { OUT_OF_RANGE, REFUSED, type Violations } from '../model/violation.ts'
import { startProcess, TENANT, type Process } from './registry.fixture.ts'
import type { ViolationNews } from './violation-counts.ts'

const PUMP = { id: 'pump', name: 'Pump', price: 5 }
const metrics: Readonly<Record<string, MetricDeclaration>> = {
  temperature: { unit: '°C', min: -40, max: 85, onViolation: 'refuse' },
  pressure: { unit: 'bar' },
}

/** What the rules say of a value of a device now. */
function verdict({ registry, table }: Process, device: string, value: number): number {
  const series = table.series(table.device(TENANT, device), 'temperature')
  return registry.rules.check(series, value, false)
}

test('products are declared, read, changed and removed, and are there after a restart', async () => {
  const first = await startProcess()
  const { catalog, clock } = first
  const { products } = first.registry
  const created = await products.create(TENANT, { ...PUMP, metrics })
  assert.deepEqual(created, {
    ...{ tenant: TENANT, ...PUMP, metrics, createdAtMs: clock.nowMs() },
    ...{ attributes: {}, expectedIntervalMs: undefined, onViolation: 'flag' },
  })
  await products.create(TENANT, { id: 'another', name: 'A' })
  await products.create('other', { ...PUMP, name: 'of the other' })
  assert.deepEqual(
    products.list(TENANT).map(({ id }) => id),
    ['another', 'pump'],
  )
  clock.advance(1000)
  const changed = await products.update(TENANT, 'pump', {
    price: 6,
    metrics: { temperature: { max: null, onViolation: null }, pressure: null, flow: { min: 0 } },
  })
  const after = { temperature: { unit: '°C', min: -40 }, flow: { min: 0 } }
  assert.deepEqual(changed, { ...created, price: 6, metrics: after })
  assert.equal(await products.remove(TENANT, 'another'), true)
  assert.equal(await products.remove(TENANT, 'another'), false)
  await first.registry.close()

  const { registry } = await startProcess({ catalog, clock })
  assert.deepEqual(registry.products.list(TENANT), [changed])
  assert.equal(registry.products.get('other', 'pump')?.name, 'of the other')
  const replaced = await registry.products.replace(TENANT, { id: 'pump', name: 'Anew' })
  assert.deepEqual([replaced.price, replaced.metrics], [undefined, {}])
  assert.equal(replaced.createdAtMs, created.createdAtMs)
})

test('what does not exist is not found, what exists is a conflict, what is too much is told', async () => {
  const { registry, catalog } = await startProcess({ maxProducts: 2 })
  const { products } = registry
  await products.create(TENANT, PUMP)
  await assert.rejects(products.create(TENANT, PUMP), { kind: 'conflict' })
  await assert.rejects(products.update(TENANT, 'nobody', {}), { kind: 'not_found' })
  await assert.rejects(products.replace('other', PUMP), { kind: 'not_found' })
  await products.create('other', PUMP)
  const limit = { kind: 'overloaded', limit: 'devices.maxProducts' }
  await assert.rejects(products.create(TENANT, { ...PUMP, id: 'third' }), limit)
  await assert.rejects(products.create(TENANT, PUMP), { kind: 'conflict' })
  await products.remove('other', 'pump')
  catalog.failing = true
  await assert.rejects(products.create(TENANT, { ...PUMP, id: 'third' }), { kind: 'retryable' })
  await assert.rejects(products.update(TENANT, 'pump', { name: 'x' }), { kind: 'retryable' })
  await assert.rejects(products.remove(TENANT, 'pump'), { kind: 'retryable' })
  assert.equal(products.get(TENANT, 'pump')?.name, 'Pump')
  assert.equal(products.get(TENANT, 'third'), undefined)
})

test('a declaration that cannot be is refused by field', async () => {
  const { registry } = await startProcess()
  const refused = (declared: object, field: RegExp): Promise<void> =>
    assert.rejects(
      registry.products.create(TENANT, { ...PUMP, metrics: { x: declared as MetricDeclaration } }),
      { kind: 'rejected', message: field },
    )
  await refused({ min: 2, max: 1 }, /^metrics\.x\.min /)
  await refused({ min: NaN }, /^metrics\.x\.min /)
  await refused({ max: Infinity }, /^metrics\.x\.max /)
  await refused({ type: 'boolean', max: 1 }, /^metrics\.x\.max .* boolean/)
  await refused({ type: 'colour' }, /^metrics\.x\.type /)
  await refused({ unit: '' }, /^metrics\.x\.unit /)
  await refused({ unit: 'x'.repeat(65) }, /^metrics\.x\.unit /)
  await refused({ onViolation: 'shout' }, /^metrics\.x\.onViolation /)
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`m${i}`, {}]))
  await assert.rejects(registry.products.create(TENANT, { ...PUMP, metrics: many }), /^.*metrics /)
  const unnamed = { ...PUMP, metrics: { '': {} } }
  await assert.rejects(registry.products.create(TENANT, unnamed), { message: /^metrics / })
  await registry.products.create(TENANT, PUMP)
  const bad = registry.products.update(TENANT, 'pump', { metrics: { x: { min: 1, max: 0 } } })
  await assert.rejects(bad, { kind: 'rejected' })
})

test('the rules follow the product and the device, from the next value on', async () => {
  const process = await startProcess()
  const { registry, send } = process
  const says = (): number => verdict(process, 'd', 99)
  const refused = OUT_OF_RANGE | REFUSED
  send('d')
  assert.equal(says(), 0)
  await registry.products.create(TENANT, { ...PUMP, metrics })
  assert.equal(says(), 0)
  await registry.update(TENANT, 'd', { product: 'pump' })
  assert.equal(says(), refused)
  await registry.products.update(TENANT, 'pump', { metrics: { temperature: { max: 100 } } })
  assert.equal(says(), 0)
  await registry.products.update(TENANT, 'pump', {
    metrics: { temperature: { max: 98, onViolation: null } },
  })
  assert.equal(says(), OUT_OF_RANGE)
  await registry.products.update(TENANT, 'pump', { onViolation: 'refuse' })
  assert.equal(says(), refused)
  await registry.products.remove(TENANT, 'pump')
  assert.equal(says(), 0)
  await registry.products.create(TENANT, { ...PUMP, metrics })
  assert.equal(says(), refused, 'a product that comes again finds its devices')
  await registry.update(TENANT, 'd', { product: null })
  assert.equal(says(), 0)
  await registry.update(TENANT, 'd', { product: 'pump' })
  await registry.remove(TENANT, 'd')
  assert.equal(says(), 0)
  send('d')
  assert.equal(says(), 0)
})

test('after a restart the rules hold for the first value', async () => {
  const first = await startProcess()
  await first.registry.products.create(TENANT, { ...PUMP, metrics })
  await first.registry.create(TENANT, { id: 'd', product: 'pump' })
  const { catalog, clock } = first
  assert.equal(verdict(await startProcess({ catalog, clock }), 'd', 86), OUT_OF_RANGE | REFUSED)
})

test('units are the product’s, unless the device told another', async () => {
  const told = new Map([['d temperature', 'K']])
  const { registry } = await startProcess({
    toldUnit: (device, metric) => told.get(`${device.name} ${metric}`),
  })
  await registry.products.create(TENANT, { ...PUMP, metrics })
  for (const id of ['d', 'e']) await registry.create(TENANT, { id, product: 'pump' })
  await registry.create(TENANT, { id: 'f', product: 'not declared yet' })
  assert.equal(registry.unitOf(TENANT, 'd', 'temperature'), 'K')
  assert.equal(registry.unitOf(TENANT, 'd', 'pressure'), 'bar')
  assert.equal(registry.unitOf(TENANT, 'e', 'temperature'), '°C')
  assert.equal(registry.unitOf(TENANT, 'e', 'constructor'), undefined)
  assert.equal(registry.unitOf(TENANT, 'f', 'temperature'), undefined)
  assert.equal(registry.unitOf('other', 'd', 'pressure'), undefined)
  assert.equal(registry.metricsOf(TENANT, 'd'), registry.products.get(TENANT, 'pump')?.metrics)
  assert.equal(registry.metricsOf(TENANT, 'f'), undefined)
})

test('violations are counted by device, and told once a second with the last of them', async () => {
  const process = await startProcess()
  const { registry, table, clock } = process
  const told: ViolationNews[] = []
  registry.onViolations(news => told.push(news))
  const violations = (device: string, verdicts: number[]): Violations => {
    const series = table.series(table.device(TENANT, device), 'temperature')
    return {
      series: Uint32Array.from(verdicts, () => series),
      verdicts: Uint8Array.from(verdicts),
      values: Float64Array.from(verdicts, (_verdict, i) => 100 + i),
      timestamps: Float64Array.from(verdicts, (_verdict, i) => 1e15 + i),
    }
  }
  process.send('a', 'b')
  registry.countViolations(violations('a', [OUT_OF_RANGE, OUT_OF_RANGE | REFUSED, OUT_OF_RANGE]))
  registry.countViolations(violations('b', [OUT_OF_RANGE | REFUSED]))
  registry.countViolations(violations('a', [OUT_OF_RANGE | REFUSED]))
  assert.deepEqual(registry.get(TENANT, 'a')?.violations, { flagged: 2, refused: 2 })
  assert.deepEqual(registry.get(TENANT, 'b')?.violations, { flagged: 0, refused: 1 })
  clock.advance(1000)
  clock.advance(1000)
  const rest = { tenant: TENANT, metric: 'temperature', reason: 'out_of_range' }
  assert.deepEqual(told, [
    { ...rest, device: 'a', value: 100, timeUs: 1e15, flagged: 2, refused: 2 },
    { ...rest, device: 'b', value: 100, timeUs: 1e15, flagged: 0, refused: 1 },
  ])
  assert.deepEqual(registry.violationTotals(), [
    { outcome: 'flagged', reason: 'out_of_range', count: 2 },
    { outcome: 'refused', reason: 'out_of_range', count: 3 },
  ])
  await registry.remove(TENANT, 'a')
  process.send('a')
  assert.deepEqual(registry.get(TENANT, 'a')?.violations, { flagged: 0, refused: 0 })
})

test('news of very many devices is told in portions', async () => {
  const { registry, table, clock } = await startProcess()
  let told = 0
  registry.onViolations(() => void told++)
  const series = Array.from({ length: 2500 }, (_, i) =>
    table.series(table.device(TENANT, `d${i}`), 'x'),
  )
  registry.countViolations({
    series: Uint32Array.from(series),
    verdicts: new Uint8Array(series.length).fill(OUT_OF_RANGE),
    values: new Float64Array(series.length),
    timestamps: new Float64Array(series.length),
  })
  for (const wanted of [1000, 2000, 2500, 2500]) {
    clock.advance(1000)
    assert.equal(told, wanted)
  }
})
