import { setTimeout as sleep } from 'node:timers/promises'
import { RecordingError } from '../model/csv-layout.ts'
import { fleetMessages } from './fleet.ts'
import { httpSender } from './http-sender.ts'
import type { Message } from './message.ts'
import { mqttSender } from './mqtt-sender.ts'
import type { SimulateOptions } from './options.ts'
import { count, duration, showProgress, type ProgressOutput } from './progress.ts'
import { openRecording, recordedFiles, type Recording } from './recording.ts'
import { replayMessages, type ReplayProgress } from './replay.ts'
import type { Sender } from './sender.ts'

export interface SimulationIo {
  readonly out: ProgressOutput
  /** Aborted: no new messages, a last chance for those in flight, then the end. */
  readonly stop: AbortSignal
}

/** Messages in the order of `dueMs`. */
export type MessageSource = Iterable<Message> | AsyncIterable<Message>

const DRAIN_MS = 5_000
const LINE_INTERVAL_MS = 3_000

/**
 * Sends a fleet's or a recording's messages until they end or `stop` is aborted, showing progress.
 * Resolves with whether every point sent was acknowledged: none refused, none left without an answer.
 */
export async function runSimulation(options: SimulateOptions, io: SimulationIo): Promise<boolean> {
  const { out } = io
  const run = options.replay.length > 0 ? await replayRun(options, out) : fleetRun(options, out)
  const sender = openSender(options)
  const { counts } = sender
  const began = performance.now()
  const { done } = run
  const progress = showProgress({
    out,
    counts,
    done: () => done(performance.now() - began),
    lineIntervalMs: LINE_INTERVAL_MS,
  })
  try {
    await Promise.all(run.sources.map(source => send(source, sender, { began, stop: io.stop })))
    const patience = io.stop.aborted ? sleep(DRAIN_MS, undefined, { ref: false }) : stopped(io.stop)
    await Promise.race([sender.drained(), patience])
  } finally {
    progress.stop()
    await sender.close()
  }
  const seconds = (performance.now() - began) / 1000
  out.write(
    `${count(counts.acknowledged)} of ${count(counts.sent)} points acknowledged in ${duration(seconds * 1000)}` +
      ` (${count(counts.acknowledged / seconds)}/s), ${count(counts.refused)} refused,` +
      ` ${count(counts.errors)} errors\n`,
  )
  if (counts.lastError !== undefined) out.write(`last error: ${counts.lastError}\n`)
  const note = run.note()
  if (note !== undefined) out.write(`${note}\n`)
  return counts.waiting === 0 && counts.refused === 0
}

/** After the stop, those in flight have some seconds more. */
async function stopped(stop: AbortSignal): Promise<void> {
  if (!stop.aborted)
    await new Promise(resolve => stop.addEventListener('abort', resolve, { once: true }))
  await sleep(DRAIN_MS, undefined, { ref: false })
}

interface Pace {
  /** `performance.now()` of the beginning. */
  readonly began: number
  readonly stop: AbortSignal
}

/** Gives each message to the sender when it is due and there is room for it. */
export async function send(source: MessageSource, sender: Sender, pace: Pace): Promise<void> {
  const { began, stop } = pace
  for await (const message of source) {
    if (stop.aborted) return
    const waitMs = began + message.dueMs - performance.now()
    // A timer is a millisecond late or so: what is due within one is sent now.
    if (waitMs > 1) await sleep(waitMs, undefined, { signal: stop }).catch(() => {})
    while (!stop.aborted && !sender.offer(message)) await orStop(sender.room(), stop)
    if (stop.aborted) return
  }
}

async function orStop(promise: Promise<void>, stop: AbortSignal): Promise<void> {
  let listener = (): void => {}
  const aborted = new Promise<void>(resolve => {
    listener = () => resolve()
    stop.addEventListener('abort', listener, { once: true })
  })
  await Promise.race([promise, aborted])
  stop.removeEventListener('abort', listener)
}

function openSender(options: SimulateOptions): Sender {
  const { target: url, key, connections: lanes, batch, maxWaiting } = options
  if (options.protocol === 'mqtt') return mqttSender({ url, key, lanes, maxWaiting })
  return httpSender({ url, key, lanes, maxWaiting, batch })
}

interface Run {
  readonly sources: MessageSource[]
  readonly done: (elapsedMs: number) => number | undefined
  /** What else there is to say at the end. */
  readonly note: () => string | undefined
}

function fleetRun(options: SimulateOptions, out: ProgressOutput): Run {
  const { devices, metrics, intervalMs, durationMs, seed, faults } = options
  const rate = (1000 / intervalMs) * devices * metrics
  out.write(
    `${count(devices)} devices × ${metrics} metrics every ${Math.round(intervalMs * 1000) / 1e6} s` +
      ` (${count(rate)} points/s) to ${options.target}, seed ${seed}\n`,
  )
  const fleet = { devices, metrics, intervalMs, durationMs, seed, faults, startMs: Date.now() }
  const done = (elapsedMs: number): number | undefined =>
    durationMs === Infinity ? undefined : Math.min(1, elapsedMs / durationMs)
  return { sources: [fleetMessages(fleet)], done, note: () => undefined }
}

async function replayRun(options: SimulateOptions, out: ProgressOutput): Promise<Run> {
  const { speed, timeColumn, deviceColumn } = options
  const choice = {
    ...(timeColumn === undefined ? {} : { timeColumn }),
    ...(deviceColumn === undefined ? {} : { deviceColumn }),
  }
  const recordings: Recording[] = []
  for (const path of await recordedFiles(options.replay))
    recordings.push(await openRecording(path, choice))
  mustDiffer(recordings)
  const bytes = recordings.reduce((sum, recording) => sum + recording.bytes, 0)
  out.write(
    `${recordings.length} ${recordings.length === 1 ? 'recording' : 'recordings'}, ${count(bytes)} bytes,` +
      ` at ${speed === Infinity ? 'full' : `${speed} ×`} speed to ${options.target}\n`,
  )
  const progress: ReplayProgress = { rows: 0, bytesRead: 0 }
  const rebaseToUs = options.rebase === 'now' ? Date.now() * 1000 : undefined
  const sources = recordings.map(recording =>
    replayMessages(recording, { speed, rebaseToUs }, progress),
  )
  const longestMs = Math.max(...recordings.map(r => (r.lastTime - r.firstTime) / 1000)) / speed
  // Read is not paced by bytes when it is paced by time.
  const done = (elapsedMs: number): number =>
    speed === Infinity
      ? progress.bytesRead / bytes
      : Math.min(1, elapsedMs / Math.max(1, longestMs))
  const note = (): string | undefined =>
    progress.rows === 0
      ? undefined
      : `${count(progress.rows)} rows without a time or a number were left out`
  return { sources, done, note }
}

/** Two files that come to the same device would be mixed up, in order and in values. */
function mustDiffer(recordings: readonly Recording[]): void {
  const paths = new Map<string, string>()
  for (const { deviceId, path, layout } of recordings) {
    const other = layout.deviceColumn === undefined ? paths.get(deviceId) : undefined
    if (other !== undefined)
      throw new RecordingError(`${other} and ${path} are both device "${deviceId}"`)
    paths.set(deviceId, path)
  }
}
