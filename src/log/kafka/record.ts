import { pointCount, type EncodedBatch } from '../../model/batch.ts'
import { decodeFrame, FrameError } from '../../model/frame.ts'
import type { NewRecord, RecordBatch } from './topic-producer.ts'

/** What a record takes beside its value, at most, with the header of a batch that it may open. */
const RECORD_OVERHEAD_BYTES = 512
const TENANT = Buffer.from('tenant')
const POINTS = Buffer.from('points')

/** An entry as a record; docs/formats/kafka.md. */
export function recordOf(topic: string, partition: number, entry: EncodedBatch): NewRecord {
  const { frame, batch } = entry
  return {
    topic,
    partition,
    value: Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength),
    headers: new Map([
      [TENANT, Buffer.from(batch.tenant)],
      [POINTS, Buffer.from(String(pointCount(batch)))],
    ]),
  }
}

/** The largest frame that such a batch has room for, with the name of its tenant. */
export function maxFrameBytesOf(maxBatchBytes: number): number {
  return Math.max(1024, maxBatchBytes - 8 * RECORD_OVERHEAD_BYTES)
}

/** Records in batches that are no larger than that, in order. */
export function inBatches(records: readonly NewRecord[], maxBatchBytes: number): RecordBatch[] {
  const batches: NewRecord[][] = []
  let bytes = Infinity
  for (const record of records) {
    const size = (record.value?.byteLength ?? 0) + RECORD_OVERHEAD_BYTES
    if (bytes + size > maxBatchBytes) {
      batches.push([])
      bytes = RECORD_OVERHEAD_BYTES
    }
    batches[batches.length - 1].push(record)
    bytes += size
  }
  return batches
}

/** The entry that a record is, or why it is none. The bytes are copied: a fetch is not kept for them. */
export function entryOf(value: Buffer | null): EncodedBatch | FrameError {
  if (value === null) return new FrameError('the record has no value')
  const frame = new Uint8Array(new ArrayBuffer(value.byteLength))
  frame.set(value)
  try {
    return { batch: decodeFrame(frame), frame }
  } catch (error) {
    if (error instanceof FrameError) return error
    throw error
  }
}
