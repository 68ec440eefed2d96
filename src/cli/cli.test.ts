import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { cli } from './cli.ts'
import { commands } from './commands.ts'
import { version } from '../compose/version.ts'

const cwd = mkdtempSync(join(tmpdir(), 'weir-cli-'))
after(() => rmSync(cwd, { recursive: true }))

async function run(args: readonly string[], env: Record<string, string> = {}) {
  let [out, err] = ['', '']
  const stdout = { write: (text: string) => void (out += text) }
  const stderr = { write: (text: string) => void (err += text) }
  const code = await cli(args, { stdout, stderr, env, cwd })
  return { code, out, err }
}

test('--version prints the version of package.json', async () => {
  assert.deepEqual(await run(['--version']), { code: 0, out: `${version}\n`, err: '' })
})

test('help lists every command, and each command explains itself in two ways', async () => {
  const { out } = await run(['--help'])
  for (const { name, summary } of commands) {
    assert.ok(out.includes(summary), name)
    const direct = await run([name, '--help'])
    assert.equal(direct.code, 0)
    assert.match(direct.out, new RegExp(`^weir ${name}`))
    assert.deepEqual(await run(['help', name]), direct)
  }
})

test('a command that does not exist is a usage error with a guess', async () => {
  const { code, err } = await run(['chek'])
  assert.equal(code, 2)
  assert.match(err, /did you mean check\?/)
})

test('no command at all prints the overview and is a usage error', async () => {
  const { code, out } = await run([])
  assert.equal(code, 2)
  assert.match(out, /usage: weir COMMAND/)
})

test('check prints the plan and changes nothing', async () => {
  const { code, out } = await run(['check', '--http=127.0.0.1:9', '--data', 'here'])
  assert.equal(code, 0)
  assert.match(out, /engines {4}log embedded, store blocks, cache memory, catalog sqlite/)
  assert.match(out, /listens {4}http 127\.0\.0\.1:9, mqtt 127\.0\.0\.1:1883/)
  assert.match(out, /http\.address is set by --http/)
  assert.equal(existsSync(join(cwd, 'here')), false)
})

test('check --json gives plan, options and where each came from', async () => {
  const { out } = await run(['check', '--json'], { WEIR_QUERY_MAX_DEVICES: '5' })
  const { ok, config, sources } = JSON.parse(out) as {
    ok: boolean
    config: { query: { maxDevices: number } }
    sources: Record<string, string>
  }
  assert.equal(ok, true)
  assert.equal(config.query.maxDevices, 5)
  assert.equal(sources['query.maxDevices'], 'WEIR_QUERY_MAX_DEVICES')
})

test('problems of the command line and of the configuration come together', async () => {
  const args = ['check', '--jsn', 'stray', '--data', '--ingest-max-depth=x']
  const { code, err } = await run(args, { WEIR_MQTT: '0.0.0.0:1883' })
  assert.equal(code, 2)
  assert.match(err, /5 problems/)
  assert.match(err, /--jsn\): no such option\n {6}Did you mean --json\?/)
  assert.match(err, /stray\): stands alone/)
  assert.match(err, /data: needs a value/)
  assert.match(err, /ingest\.maxDepth \(--ingest-max-depth\): "x" is not a whole number/)
  assert.match(err, /mqtt\.address \(WEIR_MQTT\): 0\.0\.0\.0:1883 can be reached/)
})

test('up refuses to listen beyond this machine without keys and says what to do', async () => {
  const { code, err } = await run(['up', '--http', '0.0.0.0:0'])
  assert.equal(code, 2)
  assert.match(err, /say --insecure/)
  assert.equal(existsSync(join(cwd, 'weir-data')), false)
})
