import { setTimeout as sleep } from 'node:timers/promises'
import { httpItem, messagePoints, type Message } from './message.ts'
import {
  emptyCounts,
  gate,
  laneOf,
  type SendCounts,
  type Sender,
  type SenderOptions,
} from './sender.ts'

export interface HttpSenderOptions extends SenderOptions {
  /** Messages a request, at most; fewer when fewer wait. */
  readonly batch: number
  readonly firstRetryMs?: number
}

const REQUEST_TIMEOUT_MS = 30_000
const LONGEST_RETRY_MS = 5_000

interface Lane {
  items: string[]
  points: number[]
  wake: () => void
}

/** How a request ended. */
type Outcome =
  | { kind: 'accepted'; refused: number; detail: string | undefined }
  | { kind: 'refused'; detail: string }
  | { kind: 'again'; detail: string; afterMs: number | undefined }

/** Sends arrays of messages to `POST /api/v1/telemetry`, one request at a time on each lane. */
export function httpSender(options: HttpSenderOptions): Sender {
  const counts = emptyCounts()
  const stop = new AbortController()
  const delivery: Delivery = {
    counts,
    endpoint: new URL('/api/v1/telemetry', options.url).href,
    headers: {
      'content-type': 'application/json',
      ...(options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }),
    },
    stop: stop.signal,
    firstRetryMs: options.firstRetryMs ?? 100,
  }
  const room = gate()
  const drained = gate()
  const lanes: Lane[] = []
  const loops: Promise<void>[] = []
  for (let l = 0; l < options.lanes; l++) {
    const lane: Lane = { items: [], points: [], wake: () => {} }
    lanes.push(lane)
    loops.push(run(lane))
  }

  async function run(lane: Lane): Promise<void> {
    while (!stop.signal.aborted) {
      if (lane.items.length === 0) {
        await new Promise<void>(resolve => (lane.wake = resolve))
        continue
      }
      const items = lane.items.splice(0, options.batch)
      let points = 0
      for (const p of lane.points.splice(0, items.length)) points += p
      counts.sent += points
      if (!(await deliver(`[${items.join(',')}]`, points, delivery))) return
      counts.waiting -= items.length
      room.open()
      if (counts.waiting === 0) drained.open()
    }
  }

  const offer = (message: Message): boolean => {
    if (counts.waiting >= options.maxWaiting) return false
    const lane = lanes[laneOf(message.deviceId, lanes.length)]
    lane.items.push(httpItem(message))
    lane.points.push(messagePoints(message))
    counts.waiting++
    lane.wake()
    return true
  }

  return {
    counts,
    offer,
    room: () =>
      stop.signal.aborted || counts.waiting < options.maxWaiting ? Promise.resolve() : room.wait(),
    drained: () =>
      stop.signal.aborted || counts.waiting === 0 ? Promise.resolve() : drained.wait(),
    async close() {
      stop.abort()
      for (const lane of lanes) lane.wake()
      room.open()
      drained.open()
      await Promise.all(loops)
    },
  }
}

interface Delivery {
  readonly counts: SendCounts
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly stop: AbortSignal
  readonly firstRetryMs: number
}

/** Sends until it is answered for good. False when the sender was closed before that. */
async function deliver(body: string, points: number, delivery: Delivery): Promise<boolean> {
  const { counts, stop } = delivery
  let pauseMs = delivery.firstRetryMs
  for (;;) {
    const outcome = await post(body, delivery)
    if (outcome.kind !== 'again') {
      const refused = outcome.kind === 'refused' ? points : Math.min(points, outcome.refused)
      counts.refused += refused
      counts.acknowledged += points - refused
      if (outcome.detail !== undefined) counts.lastError = outcome.detail
      return true
    }
    if (stop.aborted) return false
    counts.errors++
    counts.lastError = outcome.detail
    const wait = outcome.afterMs ?? pauseMs * (0.5 + Math.random())
    pauseMs = Math.min(LONGEST_RETRY_MS, pauseMs * 2)
    await sleep(wait, undefined, { signal: stop }).catch(() => {})
    if (stop.aborted) return false
  }
}

async function post(body: string, { endpoint, headers, stop }: Delivery): Promise<Outcome> {
  try {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(REQUEST_TIMEOUT_MS)])
    const response = await fetch(endpoint, { method: 'POST', body, headers, signal })
    const text = await response.text()
    const { status } = response
    if (status < 300) return accepted(text)
    const detail = `HTTP ${status}: ${text.slice(0, 300)}`
    if (status < 500 && status !== 408 && status !== 429) return { kind: 'refused', detail }
    const after = Number(response.headers.get('retry-after') ?? NaN)
    return { kind: 'again', detail, afterMs: after >= 0 ? after * 1000 : undefined }
  } catch (error) {
    const { message, cause } = error as Error
    const reason = cause instanceof Error ? cause.message : ''
    return { kind: 'again', detail: reason === '' ? message : reason, afterMs: undefined }
  }
}

/** Only a body that can be read tells what was refused; the status alone says that the rest was taken. */
function accepted(text: string): Outcome {
  let rejected: { detail?: string }[] = []
  try {
    rejected = (JSON.parse(text) as { rejected?: typeof rejected }).rejected ?? []
  } catch {
    return { kind: 'accepted', refused: 0, detail: 'the answer was no JSON' }
  }
  return { kind: 'accepted', refused: rejected.length, detail: rejected[0]?.detail }
}
