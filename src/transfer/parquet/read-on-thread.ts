import { Worker } from 'node:worker_threads'
import { refused } from '../mapping.ts'
import type { FromReader, ReaderOptions } from './read-worker.ts'
import type { TableChunk } from './table-chunk.ts'

/** A file that needs more than this of a heap to be read ends its import, not the process. */
const MAX_HEAP_MB = 512

/**
 * The chunks of a Parquet file, read by a thread of its own, one ahead: unpacking a row group takes
 * longer than the doors' event loop may be held up, and a file may be made to break its reader.
 *
 * @throws WeirError `rejected` when the file cannot be read.
 */
export async function* readOnThread(
  options: ReaderOptions,
): AsyncGenerator<TableChunk, void, void> {
  // Sources run as .ts, a built package as .js.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./read-worker.${extension}`, import.meta.url), {
    workerData: options,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  })
  let next = Promise.withResolvers<FromReader>()
  const fail = (error: Error): void =>
    next.reject(refused(`the file cannot be read: ${error.message}`, error))
  worker.on('message', (message: FromReader) => next.resolve(message))
  worker.on('error', fail)
  worker.on('exit', () => fail(new Error('its thread has ended')))
  try {
    for (;;) {
      const message = await next.promise
      if (message.kind === 'end') return
      if (message.kind === 'refused') throw refused(message.message)
      next = Promise.withResolvers()
      // Not awaited yet: until then a failure is not unhandled.
      next.promise.catch(() => undefined)
      worker.postMessage('next')
      yield message.chunk
    }
  } finally {
    await worker.terminate()
  }
}
