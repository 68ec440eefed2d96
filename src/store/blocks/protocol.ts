import type { LogPosition } from '../../ports/log.ts'
import type { ErrorKind } from '../../ports/errors.ts'
import type {
  BucketRead,
  DownsampleRead,
  LatestColumns,
  RawRead,
  ScanRead,
  StoreStats,
} from '../../ports/store.ts'

/** What the two sides of the store's worker thread say to each other. */
export interface WorkerOptions {
  readonly directory: string
  readonly headBytes: number
  readonly flushIntervalMs: number
  readonly partitionMs: number
  readonly blockPoints: number
  readonly maxOpenPartitions: number
  readonly transactionBlocks: number
  readonly nowMs: number
}

/** Frames that travel in one message, packed into one buffer. */
export interface WriteMessage {
  readonly kind: 'write'
  readonly buffer: ArrayBuffer
  /** Per entry FRAME_FIELDS numbers: number of the write, log partition, offset, place, length. */
  readonly frames: readonly number[]
  /** The last write whose entries are all in this message or in one before. */
  readonly through: number
}

export const FRAME_FIELDS = 5

/**
 * Where a scan goes on: the place of the device in the selection, that of the metric among those of
 * the selection or else of the device, and the first time. New series come behind those places.
 */
export interface ScanPlace {
  readonly device: number
  readonly metric: number
  readonly time: number
}

export type Question =
  | { readonly kind: 'scan'; readonly request: ScanRead; readonly from: ScanPlace }
  | { readonly kind: 'read'; readonly request: RawRead }
  | { readonly kind: 'buckets'; readonly request: BucketRead }
  | { readonly kind: 'downsample'; readonly request: DownsampleRead }
  | { readonly kind: 'latest'; readonly from: number }
  | { readonly kind: 'stats' }
  | { readonly kind: 'flush' }
  | { readonly kind: 'close' }
  | { readonly kind: 'halt' }

export type ToWorker =
  | WriteMessage
  | { readonly kind: 'tick'; readonly nowMs: number }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }

/** A `WeirError` as plain data. */
export interface PlainError {
  readonly kind: ErrorKind
  readonly message: string
  readonly code?: 'disk_full'
  readonly limit?: string
}

/** Series with columns that lie one after the other in one buffer. */
export interface PackedSeries {
  readonly devices: readonly string[]
  readonly metrics: readonly string[]
  /** Points or buckets per series. */
  readonly lengths: Uint32Array
  /** Float64 columns a series, each of the series' length. */
  readonly columnCount: number
  readonly columns: ArrayBuffer
  /** [series, its texts]. */
  readonly texts: readonly (readonly [number, readonly (string | undefined)[]])[]
}

export type Answer =
  | { readonly packed: PackedSeries; readonly next?: ScanPlace }
  | { readonly latest: LatestColumns; readonly next: number | undefined }
  | { readonly stats: StoreStats }
  | { readonly done: true }

export type FromWorker =
  | { readonly kind: 'ready'; readonly positions: readonly LogPosition[] }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | {
      readonly kind: 'taken'
      readonly through: number
      /** To be used again for further frames. */
      readonly buffer: ArrayBuffer
      readonly refused: readonly { readonly write: number; readonly error: PlainError }[]
    }
  | { readonly kind: 'committed'; readonly positions: readonly LogPosition[] }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: PlainError }
