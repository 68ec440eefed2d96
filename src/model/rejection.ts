/** Why a point (or a whole item) was refused; the label of the ledger and the metrics. */
export type RejectReason =
  | 'malformed'
  | 'unknown_field'
  | 'invalid_name'
  | 'invalid_time'
  | 'future_time'
  | 'invalid_value'
  | 'inexact_number'
  | 'wrong_type'
  | 'out_of_range'
  | 'too_deep'
  | 'too_long'
  | 'unknown_device'
  | 'forbidden'
  | 'rate_limited'
  | 'limit'
  | 'unavailable'
  | 'unlisted'

/** One refused item of a request, as data: which item, which field, why. */
export interface Rejection {
  /** Place of the item in the request, from 0: message of an array, line of NDJSON, row of a batch. */
  readonly index: number
  /** Dotted path in the item (`data.temperature`); empty for the item as a whole. */
  readonly field: string
  readonly detail: string
  readonly reason: RejectReason
  /** How many points were refused with it, for the ledger: 0 when only a stray field is reported. */
  readonly points: number
  /** With `rate_limited`: when to send it again. */
  readonly retryAfterMs?: number
}
