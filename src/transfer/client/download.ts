import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { WeirError } from '../../ports/errors.ts'
import { causeText, headersOf, problemText } from './connection.ts'
import type { Connection } from './connection.ts'

export interface Download {
  /** The query of `GET /api/v1/export`. */
  readonly query: URLSearchParams
  /** Where to; a stream is not closed. */
  readonly out: string | NodeJS.WritableStream
  readonly onBytes: (bytes: number) => void
}

/**
 * Writes an export to a file, which has its name only when it is whole, or to a stream.
 *
 * @throws WeirError `rejected` when Weir refuses it, `retryable` when it did not come whole.
 */
export async function download(connection: Connection, options: Download): Promise<void> {
  const { query, out, onBytes } = options
  const source = await answerOf(connection, query)
  const part = `${String(out)}.part`
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      onBytes((chunk as Uint8Array).length)
      yield chunk as Uint8Array
    }
  }
  try {
    if (typeof out === 'string') {
      await pipeline(counted, createWriteStream(part))
      await rename(part, out)
    } else await pipeline(counted, out, { end: false })
  } catch (error) {
    if (typeof out === 'string') await rm(part, { force: true })
    connection.signal.throwIfAborted()
    if (typeof (error as NodeJS.ErrnoException).syscall === 'string') throw error
    throw new WeirError('retryable', `the export was cut and is not whole: ${causeText(error)}`, {
      cause: error,
    })
  }
}

async function answerOf(connection: Connection, query: URLSearchParams): Promise<Readable> {
  let response
  try {
    response = await fetch(new URL(`/api/v1/export?${query.toString()}`, connection.url), {
      // What is packed on the way would be unpacked here: the two are close, or ask for gzip files.
      headers: { ...headersOf(connection), 'accept-encoding': 'identity' },
      signal: connection.signal,
    })
  } catch (error) {
    connection.signal.throwIfAborted()
    throw new WeirError('retryable', `${connection.url}: ${causeText(error)}`, { cause: error })
  }
  const { status, body } = response
  if (status === 200 && body !== null) return Readable.fromWeb(body as never)
  throw new WeirError('rejected', problemText({ status, text: await response.text() }))
}
