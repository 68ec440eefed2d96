import type { Connection, Submittable } from 'pg'
import type { PostgresClient } from './postgres-pool.ts'

/**
 * `COPY … FROM STDIN`: all rows in one buffer that the caller has made, in the binary format of the manual
 * (COPY, "File Formats"). Resolves to the rows copied.
 */
export function copyIn(client: PostgresClient, text: string, data: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    client.query(new CopyIn({ text, data, resolve, reject }))
  })
}

interface CopyOptions {
  readonly text: string
  readonly data: Uint8Array
  readonly resolve: (rows: number) => void
  readonly reject: (error: unknown) => void
}

/** What `pg` has between a statement and the server, without the stream that its own COPY needs. */
interface CopyConnection {
  query(text: string): void
  sendCopyFromChunk(chunk: Uint8Array): void
  endCopyFrom(): void
}

/** The messages of the protocol that a COPY can be answered with; `pg` calls them by these names. */
class CopyIn implements Submittable {
  /** `pg` puts its own here, to stop its timer. */
  callback: (() => void) | undefined = undefined
  readonly #options: CopyOptions
  #rows = 0
  #failed = false

  constructor(options: CopyOptions) {
    this.#options = options
  }

  submit(connection: Connection): void {
    ;(connection as unknown as CopyConnection).query(this.#options.text)
  }

  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFromChunk(this.#options.data)
    connection.endCopyFrom()
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.#rows = Number(text.slice('COPY '.length))
  }

  handleError(error: unknown): void {
    this.#failed = true
    this.callback?.()
    this.#options.reject(error)
  }

  handleReadyForQuery(): void {
    this.callback?.()
    if (!this.#failed) this.#options.resolve(this.#rows)
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
}
