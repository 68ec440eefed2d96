import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../test/fixtures/until.ts'
import { ScriptedChild } from './scripted-child.fixture.ts'
import { WorkerSlot, type SlotOptions } from './worker-slot.ts'

function slotOf(options: Partial<SlotOptions> = {}) {
  const children: ScriptedChild[] = []
  const slot = new WorkerSlot({
    ...{ name: 'gateway-1', plan: {}, overlaps: true, drainMs: 1000, stopTimeoutMs: 1000 },
    fork() {
      const child = new ScriptedChild(children.length + 1)
      children.push(child)
      return child
    },
    logger: { info: () => {}, warn: () => {}, error: () => {} },
    restarts: { firstMs: 1, lastMs: 2, patienceMs: 60_000, settledMs: 60_000, maxEarlyEnds: 9 },
    ...{ onUp: () => {}, onMessage: () => {}, onGone: () => {}, onFailure: () => assert.fail() },
    ...options,
  })
  const forked = (count: number): Promise<unknown> =>
    until(`${count} processes were started`, () => children.length === count)
  /** One that has started; the place of those that come is the test's to watch. */
  const started = async (): Promise<ScriptedChild> => {
    const ready = slot.start()
    children[0].becomesReady()
    await ready
    return children[0]
  }
  const alive = (): number[] => children.filter(({ isGone }) => !isGone).map(({ pid }) => pid)
  return { slot, children, forked, started, alive }
}

test('a new process that dies while the old one drains is started again', async () => {
  const { slot, children, forked, started, alive } = slotOf()
  const old = await started()
  const replaced = slot.replace()
  await forked(2)
  children[1].becomesReady()
  await until('the old one drains', () => old.told.includes('retire'))
  children[1].ends(1)
  old.ends(0)
  await replaced
  await forked(3)
  children[2].becomesReady()
  assert.deepEqual(alive(), [3])
})

test('an old process that dies while a new one fails to start is started again', async () => {
  const { slot, children, forked, started, alive } = slotOf()
  const old = await started()
  const replaced = slot.replace()
  await forked(2)
  old.ends(1)
  children[1].ends(1)
  await assert.rejects(replaced, /before it was ready/)
  await forked(3)
  assert.deepEqual(alive(), [3])
})

for (const overlaps of [true, false]) {
  const kind = overlaps ? 'gateway' : 'processor'
  test(`a ${kind} that is replaced while it is started again is there once`, async () => {
    const { slot, children, forked, started, alive } = slotOf({ overlaps })
    const old = await started()
    old.ends(1)
    await forked(2)
    // That one is still starting.
    const replaced = slot.replace()
    await forked(3)
    children[2].becomesReady()
    await replaced
    // As long as another try would have waited.
    await new Promise(resolve => setTimeout(resolve, 20))
    assert.deepEqual([alive(), slot.child?.pid], [[3], 3])
  })

  test(`a ${kind} that is replaced between two tries to start it is there once`, async () => {
    const restarts = { ...{ firstMs: 60, lastMs: 60, patienceMs: 60_000 }, settledMs: 0 }
    const options = { overlaps, restarts: { ...restarts, maxEarlyEnds: 9 } }
    const { slot, children, forked, started, alive } = slotOf(options)
    const old = await started()
    old.ends(1)
    const replaced = slot.replace()
    await forked(2)
    children[1].becomesReady()
    await replaced
    await new Promise(resolve => setTimeout(resolve, 80))
    assert.deepEqual(alive(), [2])
  })
}

test('an old process has again what it let go of when the new one does not start', async () => {
  const { slot, children, forked, started, alive } = slotOf()
  const old = await started()
  for (let tries = 1; tries <= 2; tries++) {
    const replaced = slot.replace()
    await forked(1 + tries)
    children[tries].ends(1)
    await assert.rejects(replaced)
  }
  assert.deepEqual(old.told, ['start', 'release', 'regain', 'release', 'regain'])
  assert.deepEqual(alive(), [1])
})

test('the end in the middle of a replacement ends both processes', async () => {
  const { slot, forked, started, alive } = slotOf()
  await started()
  const replaced = slot.replace()
  await forked(2)
  const exits = await slot.end('stop')
  await assert.rejects(replaced)
  assert.deepEqual([exits.length, alive()], [2, []])
})
