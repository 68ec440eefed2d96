import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../fixtures/until.ts'
import { settledLedger, weirClient } from '../fixtures/weir-client.ts'
import { runWeir, startWeir, type WeirProcess } from '../fixtures/weir-process.ts'

const LIMIT = { timeout: 300_000 }
const START_US = (Date.now() - 2 * 86_400e3) * 1000

/** The values are full doubles, so that blocks are long. */
async function write(weir: WeirProcess, device: string, count: number): Promise<void> {
  const client = await weirClient(weir.url)
  const points = Array.from({ length: count }, (_, i) => ({
    device_id: device,
    timestamp: new Date(START_US / 1000 + i * 1000).toISOString(),
    data: { m: Math.sin(i + device.length) },
  }))
  const { status, text } = await client.post('/api/v1/telemetry', JSON.stringify(points))
  assert.equal(status, 200, text)
}

interface Damage {
  readonly mark: Buffer
  /** Which of the marks behind byte `from`; 0 is the first. */
  readonly nth: number
  readonly from: number
  readonly at: number
}

/** Changes one byte of the file with that ending, `at` bytes behind a mark. */
function damage(folder: string, ending: string, where: Damage) {
  const name = readdirSync(folder)
    .sort()
    .find(one => one.endsWith(ending))
  assert.ok(name, folder)
  const bytes = readFileSync(join(folder, name))
  let place = where.from - 1
  for (let i = 0; i <= where.nth; i++) {
    place = bytes.indexOf(where.mark, place + 1)
    assert.ok(place >= 0)
  }
  bytes[place + where.at] ^= 128
  writeFileSync(join(folder, name), bytes)
  return name
}

for (const [what, at, message] of [
  ['record header', 8, /000000000001\.segment: entry 1 is damaged, and entry \d follows/],
  ['frame', 200, /log entry 1 is damaged: checksum differs/],
] as const) {
  test(
    `a log with a damaged ${what} in the middle is not started on, with its own exit code`,
    LIMIT,
    async t => {
      const weir = await startWeir(t)
      for (const device of ['a', 'b', 'c', 'd']) await write(weir, device, 20)
      await weir.kill()
      damage(join(weir.data, 'log'), '.segment', {
        mark: Buffer.from('WREC'),
        nth: 1,
        from: 64,
        at,
      })
      const before = readdirSync(join(weir.data, 'log'))
      await assert.rejects(weir.start(), message)
      assert.deepEqual(await weir.exited(), { code: 6, signal: null })
      assert.deepEqual(readdirSync(join(weir.data, 'log')), before)
    },
  )
}

test(
  'a damaged block is named once, then shown wherever one looks, and all goes on',
  LIMIT,
  async t => {
    const weir = await startWeir(t)
    for (const device of ['a', 'b', 'c']) await write(weir, device, 500)
    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
    // The front of a block: its magic and version.
    const mark = Buffer.from([0x57, 1])
    damage(join(weir.data, 'store/partitions'), '.blocks', { mark, nth: 0, from: 8192, at: 600 })
    await weir.start()
    const client = await weirClient(weir.url)
    const read = (device: string) => client.get(`/api/v1/telemetry/${device}?limit=10000`)
    const answers = await Promise.all(['a', 'b', 'c'].map(read))
    const failed = answers.filter(({ status }) => status !== 200)
    assert.equal(failed.length, 1)
    assert.equal(failed[0].status, 500)
    assert.match(failed[0].text, /a block of default \/ [abc] \/ m in .*\.blocks is damaged/)

    const ledger = await until('the block is set aside', async () => {
      const found = await settledLedger(client)
      return found.damaged_blocks === 1 && found
    })
    assert.equal(ledger.stored, 1500)
    for (const device of ['a', 'b', 'c']) assert.equal((await read(device)).status, 200)
    assert.match((await client.get('/metrics')).text, /^weir_store_damaged_blocks 1$/m)
    await until('the log line', () => /blocks of the store are damaged/.test(weir.output()))
    assert.deepEqual(await client.read('/ready'), {
      status: 'ready',
      reasons: ['damaged blocks that reads go without: 1'],
    })
    const [, damaged] = /default \/ ([abc]) \/ m/.exec(failed[0].text) ?? []
    await mustShow(weir, damaged)
    await write(weir, 'a', 500)
    assert.deepEqual(await weir.stop(), { code: 0, signal: null })
    await mustShow(weir, damaged)
  },
)

/** The command, beside the node or without it. */
async function mustShow(weir: WeirProcess, device: string): Promise<void> {
  const saved = join(weir.data, '../rescued')
  const ask = ['damaged-blocks', '--data', weir.data]
  const { code, stdout, stderr } = await runWeir([...ask, '--json', '--save', saved])
  assert.equal(code, 0, stderr)
  const { file, ...block } = JSON.parse(stdout) as Record<string, string | number>
  assert.deepEqual([block.tenant, block.device, block.metric], ['default', device, 'm'])
  assert.deepEqual([block.points, block.first], [500, new Date(START_US / 1000).toISOString()])
  assert.match(String(block.problem), /./)
  assert.equal(readFileSync(String(file)).length, block.bytes)
  rmSync(saved, { recursive: true })
  const text = (await runWeir(ask)).stdout
  assert.match(text, new RegExp(`^${device} / m of tenant default\\n {2}holds {6}500 points, `))
}
