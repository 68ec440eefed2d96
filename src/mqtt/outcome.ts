import { WeirError, type ErrorKind } from '../ports/errors.ts'

/**
 * What an MQTT client sees of a failed ingest. MQTT 3.1.1 has no negative acknowledgement: a
 * message is acknowledged, or it is not and the client sends it again.
 *
 * - `hold`: not acknowledged; its socket is not read while the door tries again, for a bounded
 *   time (`maxHoldMs`), then the client is cut and sends everything again when it is back.
 * - `cut`: not acknowledged, and the connection is closed at once.
 * - `refuse`: acknowledged and dropped, because no repetition can make it good.
 */
export type FailedIngest = 'hold' | 'cut' | 'refuse'

const byKind: Readonly<Record<ErrorKind, FailedIngest>> = {
  overloaded: 'hold',
  retryable: 'hold',
  closed: 'cut',
  corrupt: 'cut',
  config: 'cut',
  rejected: 'refuse',
  not_found: 'refuse',
  conflict: 'refuse',
}

/** An exception that is no `WeirError` is a fault of Weir's own: nothing was stored, so no acknowledgement. */
export function failedIngest(error: unknown): FailedIngest {
  return error instanceof WeirError ? byKind[error.kind] : 'cut'
}
