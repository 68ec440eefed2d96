import { randomOf, type Random } from './random.ts'
import type { Message, MessageData } from './message.ts'

/** Shares of a fleet's messages, each 0 to 1. */
export interface FaultRates {
  /** Never sent, because the device is silent for a while (20 messages in the mean). */
  readonly dropOuts: number
  /** Sent 1 to 10 intervals late, with their own time, so after newer ones. */
  readonly disorder: number
  /** Sent a second time within two intervals. */
  readonly duplicates: number
  /** With one value far outside what the metric shows. */
  readonly spikes: number
}

export const NO_FAULTS: FaultRates = { dropOuts: 0, disorder: 0, duplicates: 0, spikes: 0 }

const MEAN_SILENCE_MESSAGES = 20
/** Keeps the faults' sequences apart from those of the devices' values. */
const FAULT_STREAM = 0x40000000

export interface FaultOptions {
  readonly rates: FaultRates
  readonly intervalMs: number
  readonly seed: number
  readonly devices: number
}

/** Makes a fleet's clean messages into those that are really sent. */
export interface Faults {
  /** Called with each message in the order of `dueMs`; returns, in that order, what to send by then. */
  pass(device: number, message: Message): Message[]
  /** What is held back still, at the end. */
  rest(): Message[]
}

export function faults(options: FaultOptions): Faults {
  const { rates, intervalMs, seed } = options
  const randoms: Random[] = []
  for (let d = 0; d < options.devices; d++) randoms.push(randomOf(seed, FAULT_STREAM + d))
  const silent = new Uint8Array(options.devices)
  const silenceEnds = 1 / MEAN_SILENCE_MESSAGES
  const silenceBegins = rates.dropOuts / (MEAN_SILENCE_MESSAGES * (1 - rates.dropOuts))
  const held: Message[] = []

  const pass = (device: number, message: Message): Message[] => {
    const random = randoms[device]
    const out: Message[] = []
    while (held.length > 0 && held[0].dueMs <= message.dueMs) out.push(held.shift()!)
    const change = silent[device] === 1 ? silenceEnds : silenceBegins
    // Drawn for every message, so that one kind of fault does not move another.
    if (random() < change) silent[device] ^= 1
    const [spikes, late, twice] = [random(), random(), random()]
    const [where, far] = [random(), random()]
    if (silent[device] === 1) return out
    const sent = spikes < rates.spikes ? withSpike(message, where) : message
    if (late < rates.disorder) hold(held, sent, (1 + 9 * far) * intervalMs)
    else out.push(sent)
    if (twice < rates.duplicates)
      hold(held, sent, (late < rates.disorder ? 10 : 0.1 + far) * intervalMs)
    return out
  }
  return { pass, rest: () => held.splice(0) }
}

function hold(held: Message[], message: Message, delayMs: number): void {
  const dueMs = message.dueMs + delayMs
  let low = 0
  for (let high = held.length; low < high;) {
    const middle = (low + high) >> 1
    if (held[middle].dueMs <= dueMs) low = middle + 1
    else high = middle
  }
  held.splice(low, 0, { ...message, dueMs })
}

function withSpike(message: Message, where: number): Message {
  const numbers = Object.keys(message.data).filter(name => typeof message.data[name] === 'number')
  if (numbers.length === 0) return message
  const name = numbers[Math.floor(where * numbers.length)]
  const data: MessageData = { ...message.data }
  data[name] = Math.round(((data[name] as number) * 8 + 100) * 100) / 100
  return { ...message, data }
}
