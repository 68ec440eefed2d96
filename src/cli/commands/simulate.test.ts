import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseSimulateArgs, SIMULATE_HELP, simulateCommand } from './simulate.ts'

describe('the options of a simulation', () => {
  it('take a rate in place of an interval, shares as percent, and the protocol from the target', () => {
    const parsed = parseSimulateArgs([
      ...[
        '--devices',
        '50',
        '--metrics',
        '2',
        '--rate',
        '1000/s',
        '--drop-outs',
        '2%',
        '--spikes',
        '0.01',
      ],
      ...['--target', 'mqtts://broker.example:8883', '--speed', 'max', '--duration', '5m'],
    ])
    assert.equal(parsed.intervalMs, 100)
    assert.deepEqual(parsed.faults, { dropOuts: 0.02, disorder: 0, duplicates: 0, spikes: 0.01 })
    assert.deepEqual(
      [parsed.protocol, parsed.speed, parsed.durationMs],
      ['mqtt', Infinity, 300_000],
    )
  })

  it('go to the usual port of the protocol', () => {
    assert.equal(parseSimulateArgs([]).target, 'http://127.0.0.1:8080')
    assert.equal(parseSimulateArgs(['--protocol', 'mqtt']).target, 'mqtt://127.0.0.1:1883')
  })

  const wrong: [string[], RegExp][] = [
    [['--devices', '0'], /--devices must be a whole number of at least 1/],
    [['--interval', 'soon'], /--interval must be a duration/],
    [['--interval', '1s', '--rate', '5'], /exclude each other/],
    [['--spikes', '100%'], /--spikes must be a share below 1/],
    [['--target', 'ftp://x'], /--target must be/],
    [['--protocol', 'coap'], /--protocol must be http or mqtt/],
    [['--speed', '0'], /--speed must be a number above 0/],
    [['--rebase', 'then'], /--rebase must be now/],
    [['data.csv'], /"data.csv" is no option/],
    [['--devicez', '5'], /--devicez/],
  ]
  for (const [args, message] of wrong) {
    it(`refuse ${args.join(' ')}`, () => assert.throws(() => parseSimulateArgs(args), message))
  }

  it('are all in the help', () => {
    const named = new Set(SIMULATE_HELP.match(/--[a-z-]+/g))
    for (const flag of named) {
      // Each is known: what is wrong is the missing value, not the flag.
      assert.throws(() => parseSimulateArgs([flag]), /argument missing|ambiguous/)
    }
    assert.equal(named.size, 21)
  })

  it('are answered with exit code 2 and one line when they are wrong', async () => {
    let text = ''
    const write = (line: string): void => void (text += line)
    const io = { stdout: { write: () => {} }, stderr: { write }, env: {}, cwd: '.' }
    assert.equal(await simulateCommand(['--devices', 'many'], io), 2)
    assert.match(text, /^weir simulate: --devices must be .*\n$/)
    assert.equal(await simulateCommand(['--replay', 'no-such-file.csv'], io), 2)
    assert.match(text, /no-such-file\.csv/)
  })
})
