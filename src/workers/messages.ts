/**
 * What a supervisor and its worker processes say to each other, by structured clone over the
 * channel of the child process. `what` names a question that workers answer (`metrics`).
 */
export type ToWorker =
  | {
      readonly type: 'start'
      readonly name: string
      /** What the worker is to run; the supervisor does not look into it. */
      readonly plan: unknown
    }
  /** Let go of what only one process may have, so that another can take it. */
  | { readonly type: 'release' }
  /** Have it again: the other did not start. */
  | { readonly type: 'regain' }
  /** Take nothing new, answer what clients still send for a while, then stop. */
  | { readonly type: 'retire'; readonly drainMs: number }
  | { readonly type: 'stop' }
  | { readonly type: 'ask'; readonly id: number; readonly what: string }
  | { readonly type: 'answers'; readonly id: number; readonly answers: readonly Answer[] }
  /** Of these tenants siblings have subscribers now. */
  | { readonly type: 'wanted'; readonly tenants: readonly string[] }
  | LiveNews

export type FromWorker =
  | { readonly type: 'ready'; readonly facts: unknown }
  /** It could not start, or cannot go on; its end follows. */
  | { readonly type: 'failed'; readonly message: string; readonly exitCode: number }
  | { readonly type: 'released' }
  /** Microseconds of processor time since the last such message, over so many of the clock. */
  | { readonly type: 'usage'; readonly cpuUs: number; readonly overUs: number }
  | { readonly type: 'gather'; readonly id: number; readonly what: string }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'interest'; readonly tenants: readonly string[] }
  | LiveNews

/** What one process said to a question. */
export interface Answer {
  /** `gateway-2`, or `supervisor`. */
  readonly process: string
  readonly value: unknown
}

/** What is new in one process, for the live streams of its siblings. */
export interface LiveNews {
  readonly type: 'live'
  readonly tenant: string
  /** Frames of `docs/formats/frame.md`. */
  readonly frames: readonly Uint8Array[]
  readonly events: readonly LiveEvent[]
  /** Something before this was left out, because a process did not keep up. */
  readonly gap: boolean
}

/** An event of a device, or of a series of it. */
export interface LiveEvent {
  readonly event: string
  readonly device: string
  readonly metric: string | undefined
  readonly data: object
}

/** What a message is about as large as, in bytes; for bounds. */
export function newsBytes({ frames, events }: LiveNews): number {
  let bytes = 256 * (events.length + 1)
  for (const frame of frames) bytes += frame.byteLength
  return bytes
}
