import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { ScenarioResult } from '../../src/lab/run/scenario.ts'
import { startWeir } from '../fixtures/weir-process.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
const run = promisify(execFile)

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** `weir lab scenario` as a person runs it. */
async function scenario(...args: readonly string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await run(process.execPath, [MAIN, 'lab', 'scenario', ...args])
    return { code: 0, out: stdout, err: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout, err: stderr }
  }
}

const resultOf = ({ out, err }: Ended): ScenarioResult => {
  assert.notEqual(out, '', err)
  return JSON.parse(out) as ScenarioResult
}

describe('weir lab scenario', { concurrency: true }, () => {
  it('runs a burst against a node, and its points are in the ledger', async t => {
    const node = await startWeir(t)
    const args = ['--workload', 'burst', '--url', node.url, '--duration', '3s', '--json']
    const { load, probes, verdict } = resultOf(await scenario(...args))
    const [{ name, requests, successes, failures }] = load.endpoints
    assert.deepEqual([name, failures], ['POST batch', 0])
    assert.equal(successes, requests)
    assert.equal(load.acknowledgedPoints, 20 * requests)
    assert.ok(requests > 500, `${requests} requests`)
    assert.equal(probes?.ledger.missing, undefined)
    assert.equal(probes?.ledger.imbalance, 0)
    assert.deepEqual(probes.ledger.problems, [])
    // How fast it is depends on what else the machine does.
    assert.notEqual(verdict.outcome, 'invalid')
  })

  it('tells a product that is there already from a failure', async t => {
    const node = await startWeir(t)
    const args = ['--workload', 'product-catalogue', '--url', node.url, '--duration', '3s']
    const { load } = resultOf(await scenario(...args, '--json'))
    const again = load.endpoints.find(endpoint => endpoint.name === 'POST product again')!
    assert.ok(again.tolerated > 0)
    assert.equal(again.statuses['409'], again.tolerated)
    assert.equal(load.errorShare, 0)
  })

  it('sends the history that reads need', async t => {
    const node = await startWeir(t)
    const args = ['--workload', 'read-heavy', '--url', node.url, '--rate', '50']
    const { load, verdict } = resultOf(await scenario(...args, '--duration', '2s', '--json'))
    assert.deepEqual([load.errorShare, load.firstFailure], [0, undefined])
    assert.notEqual(verdict.outcome, 'invalid')
  })

  it('judges a system that is no Weir by its answers alone', async t => {
    const server = createServer((request, response) => {
      request.resume()
      response.writeHead(request.url === '/api/v1/telemetry' ? 200 : 404).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close().closeAllConnections())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const args = ['--workload', 'burst', '--url', url, '--rate', '50', '--duration', '1s']
    const { load, probes, verdict } = resultOf(await scenario(...args, '--json'))
    assert.equal(load.errorShare, 0)
    assert.equal(typeof probes?.ledger.missing, 'string')
    assert.notEqual(verdict.outcome, 'invalid')
    assert.deepEqual(
      verdict.breaches.filter(({ rule }) => rule === 'backlog'),
      [],
    )
  })

  it('says what is wrong with its options', async () => {
    const { code, err } = await scenario('--workload', 'nothing')
    assert.equal(code, 2)
    assert.match(err, /--workload must be one of read-heavy, .*, not "nothing"/)
  })
})
