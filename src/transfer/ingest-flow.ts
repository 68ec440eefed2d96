import { setTimeout as sleep } from 'node:timers/promises'
import type { Rejection } from '../model/rejection.ts'
import { WeirError } from '../ports/errors.ts'
import type { RefusedRow, RowTarget } from './row-target.ts'

/** What the gate says of one piece. */
export interface PieceOutcome {
  readonly accepted: number
  readonly rejected: readonly Rejection[]
}

/** Brings a piece to the gate, which calls `decode` at once or not at all. */
export type Ingest = (decode: (target: RowTarget) => void) => Promise<PieceOutcome>

export interface ImportOutcome {
  /** Points that are durable now. */
  readonly accepted: number
  /** The first refusals. */
  readonly rejected: readonly RefusedRow[]
  /** All points that were refused. */
  readonly rejectedTotal: number
  /** Whether everything that was refused is what the sender may not write, as far as it is listed. */
  readonly isForbidden: boolean
}

/** Pieces on their way to the log: while one is written, the next is decoded. */
const MAX_PENDING = 2
const MAX_LISTED = 1000
/** How often an import waits for room before it gives up; a door's clients would have by then. */
const MAX_WAITS = 60
const DEFAULT_WAIT_MS = 1000

/** The pieces of one import on their way through the gate, in order, and what came of them. */
export class IngestFlow {
  readonly #ingest: Ingest
  readonly #pending: Promise<void>[] = []
  readonly #rejected: RefusedRow[] = []
  #accepted = 0
  #rejectedTotal = 0
  #isForbidden = true

  constructor(ingest: Ingest) {
    this.#ingest = ingest
  }

  get outcome(): ImportOutcome {
    const rejected = this.#rejected
    const isForbidden = rejected.length > 0 && this.#isForbidden
    return { accepted: this.#accepted, rejected, rejectedTotal: this.#rejectedTotal, isForbidden }
  }

  /**
   * Hands over a piece, waiting for room where there is none. `firstIndex` is added to the rows that
   * refusals name. Earlier pieces are in the gate before later ones: the last write wins.
   *
   * @throws WeirError what the gate throws, of this piece or one before.
   */
  async put(decode: (target: RowTarget) => void, firstIndex = 0): Promise<void> {
    for (let waits = 0; ; waits++) {
      let isDecoded = false
      const outcome = this.#ingest(target => {
        isDecoded = true
        decode(target)
      })
      if (isDecoded) {
        const settled = outcome.then(result => this.#take(result, firstIndex))
        // Awaited in order below; until then a failure is not unhandled.
        settled.catch(() => undefined)
        this.#pending.push(settled)
        if (this.#pending.length >= MAX_PENDING) await this.#pending.shift()
        return
      }
      await this.#waitForRoom(outcome, waits)
    }
  }

  /** Resolves when every piece is durable. */
  async finish(): Promise<ImportOutcome> {
    while (this.#pending.length > 0) await this.#pending.shift()
    return this.outcome
  }

  async #waitForRoom(refusal: Promise<unknown>, waits: number): Promise<void> {
    try {
      await refusal
    } catch (error) {
      const isFull = error instanceof WeirError && error.kind === 'overloaded'
      if (!isFull || waits >= MAX_WAITS) throw error
      await sleep(error.retryAfterMs ?? DEFAULT_WAIT_MS)
    }
  }

  #take({ accepted, rejected }: PieceOutcome, firstIndex: number): void {
    this.#accepted += accepted
    for (const { index, field, detail, points, reason } of rejected) {
      this.#rejectedTotal += points
      // What a piece has too many of is not listed: more of what was.
      if (reason === 'unlisted') continue
      if (reason !== 'forbidden') this.#isForbidden = false
      if (this.#rejected.length >= MAX_LISTED) continue
      this.#rejected.push({ index: firstIndex + index, field, detail })
    }
  }
}
