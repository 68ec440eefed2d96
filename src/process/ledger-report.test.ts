import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RejectReason } from '../model/rejection.ts'
import type { StoreStats } from '../ports/store.ts'
import { reportLedger, tenantPoints } from './ledger-report.ts'

const stats = (stored: number, duplicate: number, unsettled: number): StoreStats => ({
  ...{ stored, duplicate, unsettled },
  ...{ tenants: new Map(), series: 1, diskBytes: 0, memoryBytes: 0 },
})

const rejected = new Map<RejectReason, number>([
  ['future_time', 3],
  ['malformed', 2],
])

test('the ledger balances when every point is somewhere', async () => {
  const report = await reportLedger({
    doors: () => ({ received: 100, rejected, pending: 7 }),
    writer: () => ({ pendingPoints: 8, deadLettered: 0 }),
    storeStats: () => Promise.resolve(stats(60, 10, 10)),
  })
  assert.equal(report.imbalance, 0)
  assert.equal(report.rejected, 5)
  assert.deepEqual(report.rejected_by_reason, { future_time: 3, malformed: 2 })
  assert.equal(report.in_flight, 25)
})

test('a point that got lost between the parts shows as imbalance', async () => {
  const report = await reportLedger({
    doors: () => ({ received: 100, rejected: new Map(), pending: 0 }),
    writer: () => ({ pendingPoints: 0, deadLettered: 0 }),
    storeStats: () => Promise.resolve(stats(99, 0, 0)),
  })
  assert.equal(report.imbalance, 1)
})

test('the doors and the writer are read when the store has answered', async () => {
  let pending = 5
  const report = await reportLedger({
    doors: () => ({ received: 10, rejected: new Map(), pending: 0 }),
    writer: () => ({ pendingPoints: pending, deadLettered: 0 }),
    storeStats: async () => {
      await Promise.resolve()
      pending = 0
      return stats(10, 0, 0)
    },
  })
  assert.equal(report.imbalance, 0)
})

test('what was stored before tenants were counted is of the tenant of the node', () => {
  const tenants = new Map([
    ['acme', { stored: 30, duplicate: 3, unsettled: 0 }],
    ['default', { stored: 5, duplicate: 0, unsettled: 2 }],
  ])
  const all = { ...stats(100, 5, 2), tenants }
  const of = (tenant: string) => tenantPoints(all, { tenant, operatorTenant: 'default' })
  assert.deepEqual(of('acme'), { stored: 30, duplicate: 3, unsettled: 0 })
  assert.deepEqual(of('default'), { stored: 70, duplicate: 2, unsettled: 2 })
  assert.deepEqual(of('nobody'), { stored: 0, duplicate: 0, unsettled: 0 })
})
