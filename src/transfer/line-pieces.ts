import { isUtf8 } from 'node:buffer'
import { refused } from './mapping.ts'

const NEWLINE = 10
/** About so much is decoded in one go: some milliseconds of work. */
const PIECE_BYTES = 256 * 1024
/** A line may be as long as a few pieces; past it, what comes is no text of lines. */
const MAX_LINE_BYTES = 8 << 20

/**
 * The bytes of a text in pieces that end with a line, so that no character is cut.
 *
 * @throws WeirError `rejected` when it is no UTF-8, or a line has no end.
 */
export async function* linePieces(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer, void, void> {
  let waiting: Buffer[] = []
  let bytes = 0
  for await (const chunk of source) {
    let buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    for (;;) {
      const room = Math.max(0, PIECE_BYTES - bytes)
      if (bytes + buffer.length < PIECE_BYTES) break
      // The first line that ends past the wanted size.
      const end = buffer.indexOf(NEWLINE, Math.min(room, buffer.length - 1))
      if (end < 0) break
      yield checked([...waiting, buffer.subarray(0, end + 1)])
      waiting = []
      bytes = 0
      buffer = buffer.subarray(end + 1)
    }
    if (buffer.length > 0) waiting.push(buffer)
    bytes += buffer.length
    if (bytes > MAX_LINE_BYTES) throw refused(`a line is longer than ${MAX_LINE_BYTES} bytes`)
  }
  if (bytes > 0) yield checked(waiting)
}

function checked(parts: readonly Buffer[]): Buffer {
  const piece = parts.length === 1 ? parts[0] : Buffer.concat(parts)
  if (!isUtf8(piece)) throw refused('the text is not UTF-8')
  return piece
}
