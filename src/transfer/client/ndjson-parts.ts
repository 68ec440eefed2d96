import { refused } from '../mapping.ts'
import type { SourceFile } from './csv-parts.ts'
import { MAX_PART_BYTES, PART_BYTES } from './import-part.ts'
import type { ImportPart } from './import-part.ts'

const NEWLINE = 10

/** An NDJSON file in parts that end with a line. */
export async function* ndjsonParts({
  source,
  bytes: total,
}: SourceFile): AsyncGenerator<ImportPart, void, void> {
  let line = 0
  let sent = 0
  let waiting: Buffer[] = []
  let waitingBytes = 0
  const partOf = (body: Buffer): ImportPart => {
    const first = line
    for (let at = body.indexOf(NEWLINE); at >= 0; at = body.indexOf(NEWLINE, at + 1)) line++
    sent += body.length
    return {
      ...{ format: 'ndjson', mapping: {}, body, refused: [], done: sent / Math.max(1, total) },
      rowOf: index => first + index,
    }
  }
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const end = bytes.lastIndexOf(NEWLINE) + 1
    if (end > 0 && waitingBytes + end >= PART_BYTES) {
      yield partOf(Buffer.concat([...waiting, bytes.subarray(0, end)]))
      waiting = [bytes.subarray(end)]
      waitingBytes = bytes.length - end
    } else {
      waiting.push(bytes)
      waitingBytes += bytes.length
    }
    if (waitingBytes > MAX_PART_BYTES) throw refused('a line has no end')
  }
  if (waitingBytes > 0) yield partOf(Buffer.concat(waiting))
  else if (sent === 0) throw refused('the file is empty')
}
