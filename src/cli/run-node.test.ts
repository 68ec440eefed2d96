import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { runNode } from './run-node.ts'

function setUp(stop: () => Promise<void> = async () => {}, failure?: string) {
  const signals = new EventEmitter()
  const exits: number[] = []
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>()
  const { promise: started, resolve: finishStart } = Promise.withResolvers<void>()
  const calls = { stops: 0 }
  const node = {
    failed,
    failure: () => failure,
    stop() {
      calls.stops++
      return stop()
    },
  }
  const code = runNode(() => started.then(() => node), {
    shutdownTimeoutMs: 20,
    signals,
    exitNow: exit => exits.push(exit),
    report: () => {},
  })
  return { signals, exits, fail, finishStart, code, calls }
}

/** Time that `performance` tells, turned by hand. */
function fakeTime(context: TestContext): { pass(ms: number): void } {
  let now = 1000
  context.mock.method(performance, 'now', () => now)
  return { pass: ms => (now += ms) }
}

test('a signal stops the node once and the exit code is 0', async () => {
  const { signals, finishStart, code, calls } = setUp()
  finishStart()
  signals.emit('SIGTERM', 'SIGTERM')
  assert.equal(await code, 0)
  assert.equal(calls.stops, 1)
  assert.equal(signals.listenerCount('SIGTERM'), 0)
})

test('a node that takes no more points, or cannot stop cleanly, exits with 4', async () => {
  const failed = setUp(undefined, 'a sync of the log failed')
  failed.finishStart()
  failed.signals.emit('SIGTERM', 'SIGTERM')
  assert.equal(await failed.code, 4)
  assert.equal(failed.calls.stops, 1)
  const full = setUp(() => Promise.reject(new Error('the disk is full')))
  full.finishStart()
  full.signals.emit('SIGTERM', 'SIGTERM')
  assert.equal(await full.code, 4)
})

test('a signal during the start stops the node as soon as it has started', async () => {
  const { signals, finishStart, code, calls } = setUp()
  signals.emit('SIGINT', 'SIGINT')
  assert.equal(calls.stops, 0)
  finishStart()
  assert.equal(await code, 0)
  assert.equal(calls.stops, 1)
})

test('a start that gives up at a signal ends with 0, one that fails by itself does not', async () => {
  const signals = new EventEmitter()
  const options = { shutdownTimeoutMs: 20, signals, exitNow: () => {}, report: () => {} }
  const patient = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('enough'))))
  const code = runNode(patient, options)
  signals.emit('SIGTERM', 'SIGTERM')
  assert.equal(await code, 0)
  await assert.rejects(
    runNode(() => Promise.reject(new Error('no such database')), options),
    /no such database/,
  )
})

test('a second signal ends the process at once, but not the echo of the first', async context => {
  const { pass } = fakeTime(context)
  const { signals, exits, finishStart } = setUp(() => new Promise(() => {}))
  finishStart()
  signals.emit('SIGINT', 'SIGINT')
  pass(20)
  signals.emit('SIGINT', 'SIGINT')
  assert.deepEqual(exits, [])
  pass(1000)
  signals.emit('SIGINT', 'SIGINT')
  assert.deepEqual(exits, [130])
})

test('a node that fails is stopped and the exit code says so', async () => {
  const { fail, finishStart, code, calls } = setUp()
  finishStart()
  fail(new Error('disk gone'))
  assert.equal(await code, 4)
  assert.equal(calls.stops, 1)
})

test('a stop that never ends is given up after the time allowed', async () => {
  const { signals, finishStart, code } = setUp(() => new Promise(() => {}))
  finishStart()
  signals.emit('SIGTERM', 'SIGTERM')
  assert.equal(await code, 5)
})
