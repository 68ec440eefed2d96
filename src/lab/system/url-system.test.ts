import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { labWorkload } from '../../../test/fixtures/lab-workload.ts'
import { decodeFrame } from '../../model/frame.ts'
import { historyPoints } from './history.ts'
import { urlHouse } from './url-system.ts'

const LIMIT = { timeout: 60_000 }
const workload = labWorkload(3, 10)
const solution = { id: 'url', topology: '', flags: [], summary: '' }

interface KeptWeir {
  readonly url: string
  /** When the points were, that it was sent; microseconds. */
  readonly times: number[]
  /** How many of the points to come it has already. */
  known: number
  duplicate: number
  /** What waits there, as its ledger tells it from answer to answer; then nothing. */
  backlogs: number[]
}

/** A Weir that runs already, with points of before. */
async function keptWeir(t: TestContext): Promise<KeptWeir> {
  const take = (frame: Buffer): void => {
    for (const time of decodeFrame(frame).timestamps) {
      weir.times.push(time)
      if (weir.known-- > 0) weir.duplicate++
    }
  }
  const ledger = (): object => {
    const in_flight_at = { log: weir.backlogs.shift() ?? 0, writer: 0, unsettled: 0 }
    const stored = 1000 + weir.times.length - weir.duplicate
    return { stored, duplicate: weir.duplicate, imbalance: 0, in_flight_at }
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (request.method === 'POST') take(Buffer.concat(chunks))
      response.end(JSON.stringify(ledger()))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const weir: KeptWeir = { url, times: [], known: 0, duplicate: 0, backlogs: [] }
  return weir
}

test(
  'a history is off the whole milliseconds, at which earlier loads have points',
  LIMIT,
  async t => {
    const weir = await keptWeir(t)
    await urlHouse(weir.url).start(solution, workload, 7)
    assert.equal(weir.times.length, historyPoints(workload))
    assert.ok(weir.times.every(time => time % 1000 !== 0))
  },
)

test('points of a history that are there already count as there', LIMIT, async t => {
  const weir = await keptWeir(t)
  weir.known = 5
  await urlHouse(weir.url).start(solution, workload, 7)
  assert.equal(weir.duplicate, 5)
})

test('a step begins when nothing of the one before is on its way', LIMIT, async t => {
  const weir = await keptWeir(t)
  const house = urlHouse(weir.url)
  await house.start(solution, workload, 7)
  weir.backlogs = [700, 300, 20]
  await house.start(solution, workload, 7)
  assert.deepEqual(weir.backlogs, [])
  assert.equal(weir.times.length, historyPoints(workload))
})
