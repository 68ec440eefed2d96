import { refused } from '../mapping.ts'
import { MAX_PART_BYTES, PART_BYTES } from './import-part.ts'

export interface RecordEnds {
  /** The place after the last record that ends in these bytes, which follow those before; or 0. */
  lastEnd(bytes: Buffer): number
  /** What a record without an end is told. */
  readonly endless: string
}

/**
 * The bytes of a file in parts of about `PART_BYTES` that end with a record.
 *
 * @throws WeirError `rejected` when the file is empty, or a record has no end.
 */
export async function* recordParts(
  source: AsyncIterable<Uint8Array>,
  { lastEnd, endless }: RecordEnds,
): AsyncGenerator<Buffer, void, void> {
  let waiting: Buffer[] = []
  let waitingBytes = 0
  let isEmpty = true
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    if (bytes.length > 0) isEmpty = false
    const end = lastEnd(bytes)
    if (end > 0 && waitingBytes + end >= PART_BYTES) {
      yield Buffer.concat([...waiting, bytes.subarray(0, end)])
      waiting = [bytes.subarray(end)]
      waitingBytes = bytes.length - end
    } else {
      waiting.push(bytes)
      waitingBytes += bytes.length
    }
    if (waitingBytes > MAX_PART_BYTES) throw refused(endless)
  }
  if (waitingBytes > 0) yield Buffer.concat(waiting)
  else if (isEmpty) throw refused('the file is empty')
}
