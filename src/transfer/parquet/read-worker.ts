import { open } from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { WeirError } from '../../ports/errors.ts'
import type { Mapping } from '../mapping.ts'
import { openParquet } from './parquet-reader.ts'
import type { TableChunk } from './table-chunk.ts'

/** What the thread that reads one Parquet file says. It reads on when it is told to. */
export type FromReader =
  | { readonly kind: 'chunk'; readonly chunk: TableChunk }
  | { readonly kind: 'end' }
  | { readonly kind: 'refused'; readonly message: string }

export interface ReaderOptions {
  readonly path: string
  readonly mapping: Mapping
}

const port = parentPort!

async function read({ path, mapping }: ReaderOptions): Promise<void> {
  const handle = await open(path)
  try {
    const table = await openParquet(handle, mapping)
    for await (const chunk of table.chunks()) {
      const asked = new Promise<void>(resolve => port.once('message', () => resolve()))
      port.postMessage({ kind: 'chunk', chunk } satisfies FromReader, buffersOf(chunk))
      await asked
    }
    port.postMessage({ kind: 'end' } satisfies FromReader)
  } finally {
    await handle.close()
  }
}

function buffersOf({ times, devices, metrics, columns }: TableChunk): ArrayBuffer[] {
  const arrays = [times, devices.index, ...columns.map(({ numbers }) => numbers)]
  if (metrics !== undefined) arrays.push(metrics.index)
  return arrays.map(array => array.buffer as ArrayBuffer)
}

try {
  await read(workerData as ReaderOptions)
} catch (error) {
  if (!(error instanceof WeirError)) throw error
  port.postMessage({ kind: 'refused', message: error.message } satisfies FromReader)
}
port.close()
