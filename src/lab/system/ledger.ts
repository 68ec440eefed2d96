import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpClient } from './http-client.ts'

/** A system under load may take its time. */
export const LEDGER_TIMEOUT_MS = 30_000
const POLL_MS = 20
const DRAINED_WITHIN_MS = 120_000

/** What the lab reads of `GET /api/v1/ledger`, in points. */
export interface Ledger {
  readonly received: number
  readonly stored: number
  readonly duplicate: number
  readonly rejected: number
  readonly dead_lettered: number
  readonly in_flight_at: {
    readonly log: number
    readonly writer: number
    readonly unsettled: number
  }
  readonly imbalance: number
}

export function readLedger(client: HttpClient, timeoutMs?: number): Promise<Ledger> {
  return client.read<Ledger>('/api/v1/ledger', timeoutMs)
}

/** Undefined where the system is no Weir. */
export async function weirLedger(client: HttpClient): Promise<Ledger | undefined> {
  const ledger = await readLedger(client, LEDGER_TIMEOUT_MS).catch(() => undefined)
  return typeof ledger?.imbalance === 'number' ? ledger : undefined
}

/**
 * Points that queries see. Of the unsettled ones the store does not know yet whether they repeat a
 * key, but what the lab sends does not.
 */
export function storedOf({ stored, in_flight_at }: Ledger): number {
  return stored + in_flight_at.unsettled
}

/** Points that were taken in and that no query sees yet. */
export function backlogOf({ in_flight_at }: Ledger): number {
  return in_flight_at.log + in_flight_at.writer
}

/**
 * Resolves when nothing is on its way.
 *
 * @throws Error when that takes too long.
 */
export async function untilDrained(client: HttpClient): Promise<void> {
  const deadlineMs = performance.now() + DRAINED_WITHIN_MS
  for (;;) {
    const waiting = backlogOf(await readLedger(client))
    if (waiting === 0) return
    if (performance.now() > deadlineMs) {
      throw new Error(`${waiting} points of before are still on their way`)
    }
    await sleep(POLL_MS)
  }
}
