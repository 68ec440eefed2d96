import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fixtures/fake-clock.ts'
import { memoryLedgerBook } from '../../test/fixtures/memory-ledger-book.ts'
import type { Clock } from '../ports/clock.ts'
import type { LedgerCounts } from '../ports/ledger-book.ts'
import type { StoreStats } from '../ports/store.ts'
import { SharedLedger } from './shared-ledger.ts'

const NOTHING: LedgerCounts = { received: 0, pending: 0, deadLettered: 0, rejected: {} }

/** An installation: one store, one book, and as many processes as the test starts. */
function installation() {
  const clock = fakeClock()
  const book = memoryLedgerBook(clock)
  const stored = new Map<string, number>()
  const errors: unknown[] = []
  const stats = async (): Promise<StoreStats> => {
    const tenants = new Map([...stored].map(([name, points]) => [name, pointsOf(points)]))
    const total = [...stored.values()].reduce((sum, points) => sum + points, 0)
    return { ...pointsOf(total), tenants, series: 0, diskBytes: 0, memoryBytes: 0 }
  }
  const store = (tenant: string, points: number): void => {
    stored.set(tenant, (stored.get(tenant) ?? 0) + points)
  }
  const start = async (log: { isDrained?: boolean; logAgeMs?: number } = {}) => {
    const own = new Map<string, LedgerCounts>()
    const stops: (() => void)[] = []
    const ownClock: Clock = {
      nowMs: () => clock.nowMs(),
      every(intervalMs, task) {
        const stop = clock.every(intervalMs, task)
        stops.push(stop)
        return stop
      },
    }
    const ledger = new SharedLedger({
      ...{ book, clock: ownClock, own: () => own, storeStats: stats, operatorTenant: 'default' },
      isDrained: async () => log.isDrained ?? true,
      ...(log.logAgeMs === undefined ? {} : { logAgeMs: log.logAgeMs }),
      onError: error => errors.push(error),
    })
    await ledger.start()
    const count = (tenant: string, added: Partial<LedgerCounts>): void => {
      const { received, pending, ...rest } = own.get(tenant) ?? NOTHING
      own.set(tenant, {
        ...{ ...rest, ...added },
        received: received + (added.received ?? 0),
        pending: pending + (added.pending ?? 0),
      })
    }
    const kill = (): void => stops.forEach(stop => stop())
    return { ledger, count, kill }
  }
  /** Time passes, and what is written behind is written. */
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
  }
  return { clock, book, store, start, pass, errors }
}

const pointsOf = (stored: number) => ({ stored, duplicate: 0, unsettled: 0 })

test('each process answers for all of them, and for each tenant', async () => {
  const { store, start, pass } = installation()
  const [one, two] = [await start(), await start()]
  one.count('default', { received: 10 })
  two.count('acme', { received: 7, rejected: { malformed: 2 } })
  store('default', 10)
  store('acme', 5)
  await pass(1000)
  for (const { ledger } of [one, two]) {
    const all = await ledger.report()
    assert.deepEqual([all.received, all.stored, all.rejected, all.imbalance], [17, 15, 2, 0])
    assert.equal(all.uncounted, 0)
    const acme = await ledger.report('acme')
    assert.deepEqual([acme.received, acme.stored, acme.rejected, acme.imbalance], [7, 5, 2, 0])
    assert.deepEqual(acme.rejected_by_reason, { malformed: 2 })
    const own = await ledger.report('default')
    assert.deepEqual([own.received, own.stored, own.imbalance], [10, 10, 0])
  }
})

test('what another process has not told yet is known from the store, and told later', async () => {
  const { store, start, pass } = installation()
  const [one, two] = [await start(), await start()]
  two.count('default', { received: 10 })
  store('default', 10)
  const early = await one.ledger.report()
  assert.deepEqual([early.received, early.uncounted, early.imbalance], [10, 10, 0])
  await pass(1000)
  const later = await one.ledger.report()
  assert.deepEqual([later.received, later.uncounted, later.imbalance], [10, 0, 0])
})

test('a lost point shows, also when another process had acknowledged it', async () => {
  const { store, start, pass } = installation()
  const [one, two] = [await start(), await start()]
  two.count('default', { received: 10 })
  store('default', 9)
  await pass(1000)
  assert.equal((await one.ledger.report()).imbalance, 1)
  await two.ledger.close()
  assert.equal((await one.ledger.report()).imbalance, 1)
})

test('after a kill it balances: at once, when the process is given up, and after a restart', async () => {
  const { store, start, pass, book } = installation()
  const one = await start()
  one.count('default', { received: 10, pending: 4, rejected: {} })
  await pass(1000)
  one.kill()
  // Of the four, three were stored, and five more of which it did not tell.
  store('default', 6 + 3 + 5)
  const two = await start()
  const soon = await two.ledger.report()
  assert.deepEqual([soon.received, soon.uncounted, soon.imbalance], [14, 4, 0])
  await pass(11_000)
  const later = await two.ledger.report()
  assert.deepEqual([later.received, later.in_flight, later.imbalance], [14, 0, 0])
  await pass(10_000)
  assert.deepEqual((await book.pages()).map(({ state }) => state).sort(), ['closed', 'open'])
  const settled = await two.ledger.report()
  assert.deepEqual([settled.received, settled.uncounted, settled.imbalance], [14, 0, 0])
  store('default', 1)
  assert.equal((await two.ledger.report()).imbalance, -1, 'from here on a surplus is an error')
})

test('what came before there was a book is taken over once', async () => {
  const { store, start } = installation()
  store('default', 100)
  store('acme', 50)
  const { ledger } = await start()
  const { received, uncounted, imbalance } = await ledger.report()
  assert.deepEqual([received, uncounted, imbalance], [150, 0, 0])
  assert.equal((await ledger.report('acme')).received, 50)
})

test('pages of stopped processes are put together, and counted on', async () => {
  const { store, start, pass, book } = installation()
  for (let run = 0; run < 5; run++) {
    const { ledger, count } = await start()
    count('default', { received: 12, rejected: { malformed: 2 } })
    store('default', 10)
    await pass(1000)
    await ledger.close()
  }
  const { ledger } = await start()
  const report = await ledger.report()
  assert.deepEqual([report.received, report.rejected, report.imbalance], [60, 10, 0])
  assert.ok((await book.pages()).length <= 2, 'its own and the past')
})

test('a process that was asleep so long that its page is gone begins another', async () => {
  const { store, start, pass, book, clock } = installation()
  const one = await start()
  one.count('default', { received: 10 })
  store('default', 10)
  await pass(1000)
  book.failure = new Error('away')
  clock.jump(2 * 3_600_000)
  book.failure = undefined
  const two = await start()
  assert.equal((await two.ledger.report()).received, 10)
  one.count('default', { received: 5 })
  store('default', 5)
  await pass(1000)
  for (const { ledger } of [one, two]) {
    const { received, uncounted, imbalance } = await ledger.report()
    assert.deepEqual([received, uncounted, imbalance], [15, 0, 0])
  }
})

test('a book that cannot be written is tried again with newer counts', async () => {
  const { store, start, pass, book, errors } = installation()
  const [one, two] = [await start(), await start()]
  book.failure = new Error('away')
  one.count('default', { received: 10 })
  store('default', 10)
  await pass(2000)
  assert.ok(errors.length > 0)
  book.failure = undefined
  await pass(1000)
  const { received, uncounted } = await two.ledger.report()
  assert.deepEqual([received, uncounted], [10, 0])
})

test('points that are in the log are in flight', async () => {
  const { store, start } = installation()
  const log = { isDrained: false }
  const { ledger, count } = await start(log)
  count('default', { received: 10 })
  store('default', 6)
  const early = await ledger.report()
  assert.deepEqual([early.in_flight, early.in_flight_at.writer, early.imbalance], [4, 4, 0])
  log.isDrained = true
  assert.equal((await ledger.report()).imbalance, 4, 'the store has read the log to its end')
})

test('where the end of the log is known late, what comes meanwhile is in flight', async () => {
  const { store, start } = installation()
  const { ledger, count } = await start({ logAgeMs: 60_000 })
  count('default', { received: 10 })
  store('default', 6)
  const asked = ledger.report()
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
  count('default', { received: 5 })
  const report = await asked
  assert.deepEqual([report.in_flight, report.imbalance], [9, 0])
})
