import { pointCount, type EncodedBatch } from '../../model/batch.ts'
import type { Dictionaries } from '../../model/dictionary.ts'
import { decodeFrame, FrameError } from '../../model/frame.ts'
import type { LogEntry, LogPosition } from '../../ports/log.ts'
import type { Outgoing } from './publisher.ts'
import type { StreamMessage } from './reader.ts'

/** How many points a message carries: the body need not be read to count them. */
const POINTS_HEADER = 'Weir-Points'

/**
 * What headers may take of a message, with the stream's own id. Those of dead letters say more than
 * those of entries; one bound for both, so that an entry is whole also as a dead letter.
 */
export const HEADER_BYTES = 4096

/** A record that is no entry. */
export interface BadRecord {
  readonly position: LogPosition
  readonly bytes: Uint8Array
  readonly reason: string
}

export function outgoingEntry(subject: string, { batch, frame }: EncodedBatch): Outgoing {
  return { subject, data: frame, headers: { [POINTS_HEADER]: String(pointCount(batch)) } }
}

export interface RecordPlace {
  readonly partition: number
  readonly dictionaries: Dictionaries
}

export function readRecord(
  { data, offset, atMs }: StreamMessage,
  { partition, dictionaries }: RecordPlace,
): LogEntry | BadRecord {
  const position = { partition, offset }
  try {
    return { batch: decodeFrame(data, dictionaries), frame: data, position, appendedMs: atMs }
  } catch (error) {
    if (!(error instanceof FrameError)) throw error
    return { position, bytes: data, reason: `no frame: ${error.message}` }
  }
}

export function isBad(record: LogEntry | BadRecord): record is BadRecord {
  return 'reason' in record
}
