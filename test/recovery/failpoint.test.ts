import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { readPoints } from '../fixtures/read-back.ts'
import { DeviceSource } from '../fixtures/roles-apart.ts'
import { seededRandom } from '../fixtures/seeded-random.ts'
import { asArray, asFrame, sendOverHttp } from '../fixtures/sending-clients.ts'
import { SYSTEM_TOPOLOGIES } from '../fixtures/system-topology.ts'
import { settledLedger, weirClient } from '../fixtures/weir-client.ts'
import { freePort, lastFirst, startWeir, type Lifetime } from '../fixtures/weir-process.ts'

/** Between two messages of a client: what is stored matters here, not how fast. */
const REST_MS = 25
const ENTRY = join(import.meta.dirname, '../fixtures/failpoint-node.ts')

/** A processor that is killed between its n-th commit to the store and that to the log. */
async function dieAt(commits: number, args: readonly string[], t: Lifetime): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'weir-failpoint-'))
  const places = ['--data', data, '--http', `127.0.0.1:${await freePort()}`]
  const child = spawn(
    process.execPath,
    [ENTRY, String(commits), 'up', ...places, ...args, '--role=processor'],
    { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => (printed = (printed + String(chunk)).slice(-8000)))
  }
  t.after(() => void child.kill('SIGKILL'))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  rmSync(data, { recursive: true, force: true })
  assert.deepEqual([code, signal], [null, 'SIGKILL'], printed)
}

/** Both at once, because each waits for its log to miss the processor that was killed. */
const LANES = [
  { name: 'queue', kills: 20, shorter: '--kafka.sessionTimeoutMs=1s' },
  { name: 'queue on NATS', kills: 10, shorter: '--nats.sessionTimeoutMs=1s' },
]

suite('a processor killed between store and log', { concurrency: true }, () => {
  for (const { name, kills, shorter } of LANES) {
    const { skip, place } = SYSTEM_TOPOLOGIES.find(one => one.name === name)!
    test(
      `${name}: ${kills} times, and nothing is lost or there twice`,
      { skip, timeout: 900_000 },
      async context => {
        const t = lastFirst(context)
        const random = seededRandom(context)
        const args = [...place(t), '--postgres.poolSize=4', shorter]
        const gateway = await startWeir(t, { args: [...args, '--role=gateway'] })
        const client = await weirClient(gateway.url)
        const sources = ['one', 'two', 'three'].map(device => new DeviceSource(device))
        const clients = sources.map(({ ledger, next }, i) => {
          const options = { lifetime: t, ledger, next, restMs: REST_MS }
          return sendOverHttp(gateway.url, i % 2 === 0 ? asArray : asFrame, options)
        })
        for (let kill = 0; kill < kills; kill++) await dieAt(random.int(1, 4), args, t)
        const processor = await startWeir(t, { args: [...args, '--role=processor'] })
        await Promise.all(clients.map(one => one.finish()))
        const books = await settledLedger(client)
        const points = await readPoints(
          client,
          sources.map(({ device }) => device),
        )
        for (const { device, ledger } of sources) {
          ledger.mustHold(points.filter(point => point.device === device))
        }
        const { stored, duplicate, dead_lettered: dead } = books
        assert.deepEqual([stored, duplicate, dead], [points.length, 0, 0])
        assert.equal((await processor.stop()).code, 0)
      },
    )
  }
})
