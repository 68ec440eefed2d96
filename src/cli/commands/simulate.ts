import { setMaxListeners } from 'node:events'
import { parseArgs } from 'node:util'
import { parseQuantity } from '../../config/units.ts'
import type { SimulateOptions } from '../../simulate/options.ts'
import type { CommandIo } from '../command.ts'
import { exitCode } from '../exit-code.ts'

const OPTIONS = {
  protocol: { type: 'string', default: 'http' },
  target: { type: 'string' },
  key: { type: 'string' },
  devices: { type: 'string', default: '100' },
  metrics: { type: 'string', default: '4' },
  interval: { type: 'string' },
  rate: { type: 'string' },
  duration: { type: 'string' },
  seed: { type: 'string', default: '1' },
  'drop-outs': { type: 'string', default: '0' },
  disorder: { type: 'string', default: '0' },
  duplicates: { type: 'string', default: '0' },
  spikes: { type: 'string', default: '0' },
  batch: { type: 'string', default: '250' },
  connections: { type: 'string', default: '4' },
  'max-waiting': { type: 'string', default: '2000' },
  replay: { type: 'string', multiple: true, default: [] as string[] },
  speed: { type: 'string', default: '1' },
  rebase: { type: 'string' },
  'time-column': { type: 'string' },
  'device-column': { type: 'string' },
} as const

export const SIMULATE_HELP = `weir simulate: a fleet of pumps and climate sensors, or recorded data, over HTTP or MQTT

  --protocol http|mqtt   how to send (http; the scheme of --target decides where it is given)
  --target URL           where to (http://127.0.0.1:8080, mqtt://127.0.0.1:1883)
  --key KEY              for a platform that asks for keys (WEIR_KEY)
  --connections N        connections; each device stays on one (4)
  --batch N              messages a request at most, HTTP (250)
  --max-waiting N        messages that may wait for their acknowledgement (2000)

A fleet:
  --devices N            pumps and climate sensors in turn (100)
  --metrics N            of each device (4)
  --interval DURATION    between two readings of a device (1s)
  --rate N               points a second of the whole fleet, in place of --interval
  --duration DURATION    stop after that (never)
  --seed N               the same seed sends the same values (1)
  --drop-outs SHARE      share of messages missing because a device is silent: 0.02 or 2%
  --disorder SHARE       share of messages sent late, after newer ones
  --duplicates SHARE     share of messages sent twice
  --spikes SHARE         share of messages with one value far outside

Recorded data (CSV with a header; comma, semicolon or tab):
  --replay FILE...       files, or folders of them. The device is named by the last three parts
                         of the path without extension: data/skab/valve1/0.csv is skab-valve1-0
  --speed N|max          recorded seconds a second (1); max: as fast as it is acknowledged
  --rebase now           move the timestamps to now; without it they are kept
  --time-column NAME     which column is the time (found by itself when there is one)
  --device-column NAME   take the device from a column
`

/** The command line is wrong; the message says how. */
class UsageError extends Error {
  override name = 'UsageError'
}

const DEFAULT_TARGETS = { http: 'http://127.0.0.1:8080', mqtt: 'mqtt://127.0.0.1:1883' }

/** @throws UsageError, or the TypeError of `parseArgs`, naming the option. */
export function parseSimulateArgs(
  args: readonly string[],
  env: CommandIo['env'] = {},
): SimulateOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: OPTIONS,
    allowPositionals: true,
  })
  const replay = [...values.replay, ...positionals]
  if (values.replay.length === 0 && positionals.length > 0) {
    throw new UsageError(`"${positionals[0]}" is no option (files come after --replay)`)
  }
  const devices = whole('devices', values.devices)
  const metrics = whole('metrics', values.metrics)
  return {
    ...route(values.protocol, values.target),
    key: values.key ?? env['WEIR_KEY'],
    devices,
    metrics,
    intervalMs: intervalMs(values.interval, values.rate, devices * metrics),
    durationMs: values.duration === undefined ? Infinity : time('duration', values.duration),
    seed: whole('seed', values.seed, 0),
    faults: {
      dropOuts: share('drop-outs', values['drop-outs']),
      disorder: share('disorder', values.disorder),
      duplicates: share('duplicates', values.duplicates),
      spikes: share('spikes', values.spikes),
    },
    batch: whole('batch', values.batch),
    connections: whole('connections', values.connections),
    maxWaiting: whole('max-waiting', values['max-waiting']),
    replay,
    speed: values.speed === 'max' ? Infinity : positive('speed', values.speed),
    rebase: rebase(values.rebase),
    timeColumn: values['time-column'],
    deviceColumn: values['device-column'],
  }
}

function route(
  protocol: string,
  target: string | undefined,
): { protocol: 'http' | 'mqtt'; target: string } {
  if (target !== undefined) {
    const scheme = URL.canParse(target) ? new URL(target).protocol : ''
    if (/^https?:$/.test(scheme)) return { protocol: 'http', target }
    if (/^(mqtts?|wss?|tcp|ssl):$/.test(scheme)) return { protocol: 'mqtt', target }
    throw new UsageError(`--target must be an http:// or mqtt:// address, not "${target}"`)
  }
  if (protocol === 'http' || protocol === 'mqtt')
    return { protocol, target: DEFAULT_TARGETS[protocol] }
  throw new UsageError(`--protocol must be http or mqtt, not "${protocol}"`)
}

function intervalMs(
  interval: string | undefined,
  rate: string | undefined,
  points: number,
): number {
  if (rate === undefined) return time('interval', interval ?? '1s')
  if (interval !== undefined) throw new UsageError('--interval and --rate exclude each other')
  return (1000 * points) / positive('rate', rate.replace(/\/s$/, ''))
}

function rebase(text: string | undefined): 'now' | undefined {
  if (text === undefined || text === 'now') return text
  throw new UsageError(`--rebase must be now, not "${text}"`)
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value > 0 && value < Infinity) return value
  throw new UsageError(`--${name} must be a number above 0, not "${text}"`)
}

function whole(name: string, text: string, least = 1): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value
  throw new UsageError(`--${name} must be a whole number of at least ${least}, not "${text}"`)
}

function share(name: string, text: string): number {
  const percent = text.endsWith('%')
  const value = Number(percent ? text.slice(0, -1) : text) / (percent ? 100 : 1)
  if (text.trim() !== '' && value >= 0 && value < 1) return value
  throw new UsageError(`--${name} must be a share below 1, as 0.02 or 2%, not "${text}"`)
}

function time(name: string, text: string): number {
  const value = parseQuantity(text, 'ms')
  if (value !== undefined && value > 0) return value
  throw new UsageError(`--${name} must be a duration such as 500ms, 1s or 5m, not "${text}"`)
}

/**
 * `weir simulate`: runs until the simulation ends. The first SIGINT or SIGTERM stops it cleanly, the
 * second at once.
 */
export async function simulateCommand(args: readonly string[], io: CommandIo): Promise<number> {
  const stop = new AbortController()
  // Every recording that is replayed listens for the stop.
  setMaxListeners(0, stop.signal)
  const abort = (): void => stop.abort()
  try {
    const options = parseSimulateArgs(args, io.env)
    process.once('SIGINT', abort)
    process.once('SIGTERM', abort)
    const { runSimulation } = await import('../../simulate/simulation.ts')
    const complete = await runSimulation(options, { out: io.stdout, stop: stop.signal })
    return exitCode(complete ? 'ok' : 'failed')
  } catch (error) {
    if (!isUsageError(error)) throw error
    io.stderr.write(`weir simulate: ${error.message}\n`)
    return exitCode('usage')
  } finally {
    process.off('SIGINT', abort)
    process.off('SIGTERM', abort)
  }
}

/** A wrong option, a file that is not there, or one that is no recording. */
function isUsageError(error: unknown): error is Error {
  const { name, code } = error as NodeJS.ErrnoException
  if (name === 'UsageError' || name === 'RecordingError') return true
  return code !== undefined && (code.startsWith('ERR_PARSE_ARGS') || FILE_ERRORS.has(code))
}

const FILE_ERRORS = new Set(['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR'])
