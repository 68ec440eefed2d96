import type { Message } from './message.ts'

/** What became of the points given to a sender; each moves from `waiting` to one of the others. */
export interface SendCounts {
  /** Points handed to the network, each once however often it is sent. */
  sent: number
  acknowledged: number
  /** Points that the platform refused for what they are; they are not sent again. */
  refused: number
  /** Messages taken and not yet settled. */
  waiting: number
  /** Failed tries: lost connections, time-outs, answers that ask to come back. */
  errors: number
  lastError: string | undefined
}

/**
 * Delivers messages at least once and, for each device, in order. It sends what it has been given
 * again until it is acknowledged, with growing pauses while the platform is away.
 */
export interface Sender {
  readonly counts: SendCounts
  /** Takes the message; false when as many wait as may: call `room` then, and offer it again. */
  offer(message: Message): boolean
  /** Resolves when there is room, or the sender is closed. */
  room(): Promise<void>
  /** Resolves when nothing waits. */
  drained(): Promise<void>
  /** Gives up what still waits. */
  close(): Promise<void>
}

export interface SenderOptions {
  readonly url: string
  /** What the platform asks for, where it asks for keys. */
  readonly key?: string | undefined
  /** Connections; each device stays on one of them. */
  readonly lanes: number
  /** Messages that may wait for their acknowledgement, over all lanes. */
  readonly maxWaiting: number
}

export function emptyCounts(): SendCounts {
  return { sent: 0, acknowledged: 0, refused: 0, waiting: 0, errors: 0, lastError: undefined }
}

/** The lane of a device (FNV-1a). */
export function laneOf(deviceId: string, lanes: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < deviceId.length; i++) {
    hash = Math.imul(hash ^ deviceId.charCodeAt(i), 0x01000193)
  }
  return (hash >>> 0) % lanes
}

/** Lets many wait for one condition that is signalled from elsewhere. */
export interface Gate {
  wait(): Promise<void>
  open(): void
}

export function gate(): Gate {
  let waiters: (() => void)[] = []
  return {
    wait: () => new Promise(resolve => waiters.push(resolve)),
    open() {
      if (waiters.length === 0) return
      const woken = waiters
      waiters = []
      for (const wake of woken) wake()
    },
  }
}
