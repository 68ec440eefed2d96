import type { Connection, Submittable } from 'pg'
import type { PostgresPool } from './postgres-pool.ts'

/** A row as it came: the bytes of each cell, in the binary format of its type. */
export type BinaryRow = readonly (Buffer | null)[]

const HEADER_BYTES = 19

/** How much an answer may be; what is beyond it is not kept. */
export interface CopyBound {
  readonly maxBytes: number
  readonly refusal: () => Error
}

/**
 * The rows of a query through `COPY (…) TO STDOUT (FORMAT binary)`: numbers need not be made into text and back, which
 * `pg` does with all other answers. A COPY takes no parameters: values are written into the query by `literal`.
 */
export async function copyOut(
  pool: PostgresPool,
  query: string,
  { maxBytes, refusal }: CopyBound = { maxBytes: Infinity, refusal: () => new Error() },
): Promise<BinaryRow[]> {
  const text = `COPY (${query}) TO STDOUT (FORMAT binary)`
  const data = await pool.with(
    client =>
      new Promise<Buffer | undefined>((resolve, reject) => {
        client.query(new CopyOut(text, { maxBytes, resolve, reject }))
      }),
  )
  if (data === undefined) throw refusal()
  return rowsOf(data)
}

/** A constant of SQL; arrays are `text[]`. PostgreSQL has no text with NUL in it, so nothing can be equal to one. */
export function literal(value: string | readonly string[]): string {
  if (typeof value !== 'string') return `ARRAY[${value.map(literal).join(',')}]::text[]`
  if (value.includes('\0')) return 'NULL'
  const quoted = `'${value.replaceAll("'", "''")}'`
  return value.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

interface CopyOptions {
  readonly maxBytes: number
  /** Undefined: there were more bytes. */
  readonly resolve: (data: Buffer | undefined) => void
  readonly reject: (error: unknown) => void
}

class CopyOut implements Submittable {
  /** `pg` puts its own here, to stop its timer. */
  callback: (() => void) | undefined = undefined
  readonly #text: string
  readonly #options: CopyOptions
  #chunks: Buffer[] = []
  #bytes = 0
  #failed = false

  constructor(text: string, options: CopyOptions) {
    this.#text = text
    this.#options = options
  }

  submit(connection: Connection): void {
    ;(connection as unknown as { query(text: string): void }).query(this.#text)
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    this.#bytes += chunk.length
    // The memory is that of the socket's next read.
    if (this.#bytes <= this.#options.maxBytes) this.#chunks.push(Buffer.from(chunk))
    else this.#chunks = []
  }

  handleError(error: unknown): void {
    this.#failed = true
    this.callback?.()
    this.#options.reject(error)
  }

  handleReadyForQuery(): void {
    this.callback?.()
    if (this.#failed) return
    const isWhole = this.#bytes <= this.#options.maxBytes
    this.#options.resolve(isWhole ? Buffer.concat(this.#chunks) : undefined)
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
}

function rowsOf(data: Buffer): BinaryRow[] {
  const rows: BinaryRow[] = []
  for (let at = HEADER_BYTES; ;) {
    const count = data.readInt16BE(at)
    at += 2
    if (count === -1) return rows
    const row = new Array<Buffer | null>(count)
    for (let i = 0; i < count; i++) {
      const length = data.readInt32BE(at)
      at += 4
      row[i] = length === -1 ? null : data.subarray(at, at + length)
      if (length > 0) at += length
    }
    rows.push(row)
  }
}
