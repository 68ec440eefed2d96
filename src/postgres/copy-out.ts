import type { Connection, Submittable } from 'pg'
import type { PostgresPool } from './postgres-pool.ts'

/** A row as it came: the bytes of each cell, in the binary format of its type. */
export type BinaryRow = readonly (Buffer | null)[]

const HEADER_BYTES = 19

/**
 * The rows of a query through `COPY (…) TO STDOUT (FORMAT binary)`: numbers need not be made into text and back, which
 * `pg` does with all other answers. A COPY takes no parameters: values are written into the query by `literal`.
 */
export async function copyOut(pool: PostgresPool, query: string): Promise<BinaryRow[]> {
  const data = await pool.with(
    client =>
      new Promise<Buffer>((resolve, reject) => {
        client.query(new CopyOut(`COPY (${query}) TO STDOUT (FORMAT binary)`, { resolve, reject }))
      }),
  )
  return rowsOf(data)
}

/** A constant of SQL; arrays are `text[]`. PostgreSQL has no text with NUL in it, so nothing can be equal to one. */
export function literal(value: string | readonly string[]): string {
  if (typeof value !== 'string') return `ARRAY[${value.map(literal).join(',')}]::text[]`
  if (value.includes('\0')) return 'NULL'
  const quoted = `'${value.replaceAll("'", "''")}'`
  return value.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

class CopyOut implements Submittable {
  /** `pg` puts its own here, to stop its timer. */
  callback: (() => void) | undefined = undefined
  readonly #text: string
  readonly #settle: { resolve: (data: Buffer) => void; reject: (error: unknown) => void }
  readonly #chunks: Buffer[] = []
  #failed = false

  constructor(
    text: string,
    settle: { resolve: (data: Buffer) => void; reject: (error: unknown) => void },
  ) {
    this.#text = text
    this.#settle = settle
  }

  submit(connection: Connection): void {
    ;(connection as unknown as { query(text: string): void }).query(this.#text)
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    // The memory is that of the socket's next read.
    this.#chunks.push(Buffer.from(chunk))
  }

  handleError(error: unknown): void {
    this.#failed = true
    this.callback?.()
    this.#settle.reject(error)
  }

  handleReadyForQuery(): void {
    this.callback?.()
    if (!this.#failed) this.#settle.resolve(Buffer.concat(this.#chunks))
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
