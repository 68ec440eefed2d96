import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { until } from '../../../test/fixtures/until.ts'
import { processStart } from '../../provide/process-start.ts'
import { ChildNode } from './node-process.ts'

test('what outlives a node that has ended is killed with it', { timeout: 60_000 }, async t => {
  // A worker that holds the pipes, and a supervisor that ends without it.
  const child = spawn('/bin/sh', ['-c', 'sleep 1000 & echo $!'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const closed = once(child, 'close')
  const node = new ChildNode('http://127.0.0.1:1', child)
  await until('it has ended', () => node.ended() !== undefined && node.output().includes('\n'))
  const worker = Number(node.output())
  t.after(() => void (processStart(worker) !== undefined && process.kill(worker, 'SIGKILL')))
  assert.notEqual(processStart(worker), undefined)
  node.kill()
  await closed
  await until('the worker has ended', () => processStart(worker) === undefined)
  await node.stop()
})
