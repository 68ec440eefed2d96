import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { openTestDoor, until } from './door-fixture.ts'

const isInstalled = spawnSync('mosquitto_pub', ['--help']).error === undefined
const skip = isInstalled ? false : 'mosquitto_pub is not installed (Debian: mosquitto-clients)'

/** What follows it is standard input. */
const LINES = '--lines'

/** Runs one of Mosquitto's clients to its end; returns what it printed. */
async function run(tool: 'pub' | 'sub', port: number, given: string[]): Promise<string> {
  const at = given.indexOf(LINES)
  const [args, input] = at < 0 ? [given, ''] : [given.slice(0, at), given[at + 1]]
  const child = spawn(`mosquitto_${tool}`, ['-h', '127.0.0.1', '-p', String(port), ...args])
  let output = ''
  child.stdout.on('data', chunk => (output += chunk))
  child.stderr.on('data', chunk => (output += chunk))
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number]
  assert.equal(code, 0, output)
  return output
}

for (const qos of ['0', '1', '2']) {
  test(`mosquitto_pub and mosquitto_sub speak QoS ${qos}`, { skip }, async t => {
    const { port, door, fake } = await openTestDoor(t)
    const args = ['-t', 'devices/+/#', '-q', qos, '-C', '3', '-F', '%t %p %q', '-V', '311']
    const heard = run('sub', port, args)
    await until(() => door.stats().clients === 1)
    await run('pub', port, ['-t', 'devices/p1/telemetry', '-m', '{"a":1}', '-q', qos])
    await run('pub', port, ['-t', 'devices/p1/a', '-q', qos, '-l', LINES, '1\n2\n'])
    assert.deepEqual((await heard).trim().split('\n'), [
      `devices/p1/telemetry {"a":1} ${qos}`,
      `devices/p1/a 1 ${qos}`,
      `devices/p1/a 2 ${qos}`,
    ])
    assert.deepEqual(fake.payloads, ['{"a":1}', '1', '2'])
    const [, first, second] = fake.stored
    assert.ok(first.arrivalUs < second.arrivalUs)
  })
}

test(
  'mosquitto_sub gets retained messages, and wills of clients that were killed',
  { skip },
  async t => {
    const { port, door } = await openTestDoor(t)
    await run('pub', port, ['-t', 'plant/name', '-m', 'north', '-q', '1', '-r'])
    const doomed = spawn('mosquitto_sub', [
      ...['-h', '127.0.0.1', '-p', String(port), '-t', 'nothing'],
      ...['--will-topic', 'plant/lost', '--will-payload', 'gone', '--will-qos', '1'],
    ])
    await until(() => door.stats().clients === 1)
    const heard = run('sub', port, ['-t', 'plant/#', '-q', '1', '-C', '2', '-F', '%t %p %r'])
    // The retained message shows that it has subscribed.
    await until(() => (door.stats().messages.get('delivered_qos1') ?? 0) > 0)
    doomed.kill('SIGKILL')
    assert.deepEqual((await heard).trim().split('\n'), ['plant/name north 1', 'plant/lost gone 0'])
  },
)

test('a session that mosquitto_sub keeps gets what came meanwhile', { skip }, async t => {
  const { port, door } = await openTestDoor(t)
  const kept = ['-i', 'kept', '-c', '-q', '1', '-t', 'devices/#']
  await run('sub', port, [...kept, '-E'])
  await until(() => door.stats().clients === 0)
  await run('pub', port, ['-t', 'devices/p1/a', '-q', '1', '-l', LINES, '1\n2\n3\n'])
  assert.equal(await run('sub', port, [...kept, '-C', '3']), '1\n2\n3\n')
})
