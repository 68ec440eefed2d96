import type { SourceFile } from './csv-parts.ts'
import type { ImportPart } from './import-part.ts'
import { recordParts } from './record-parts.ts'

const NEWLINE = 10
const LINES = {
  lastEnd: (bytes: Buffer) => bytes.lastIndexOf(NEWLINE) + 1,
  endless: 'a line has no end',
}

/** An NDJSON file in parts that end with a line. */
export async function* ndjsonParts(file: SourceFile): AsyncGenerator<ImportPart, void, void> {
  let line = 0
  let sent = 0
  for await (const body of recordParts(file.source, LINES)) {
    const first = line
    for (let at = body.indexOf(NEWLINE); at >= 0; at = body.indexOf(NEWLINE, at + 1)) line++
    sent += body.length
    yield {
      ...{ format: 'ndjson', mapping: {}, body, refused: [] },
      done: sent / Math.max(1, file.bytes),
      rowOf: index => first + index,
    }
  }
}
