import type { Access } from '../model/access.ts'
import { CsvDecoder } from './csv/csv-decoder.ts'
import type { Format } from './format.ts'
import { IngestFlow } from './ingest-flow.ts'
import type { ImportOutcome, PieceOutcome } from './ingest-flow.ts'
import { linePieces } from './line-pieces.ts'
import type { Mapping } from './mapping.ts'
import { NdjsonDecoder } from './ndjson/ndjson-decoder.ts'
import { putTable } from './parquet/put-table.ts'
import { readOnThread } from './parquet/read-on-thread.ts'
import type { RowTarget } from './row-target.ts'
import type { Spool } from './spool.ts'

export interface ImporterOptions {
  /** The gate: admits and makes durable, as for every other door. Calls `decode` at once or not at all. */
  readonly ingest: (sender: Access, decode: (target: RowTarget) => void) => Promise<PieceOutcome>
  /** The decoder of the native messages, for NDJSON that holds them; rows are counted from 0. */
  readonly decodeMessages: (piece: Buffer, target: RowTarget) => void
  readonly spool: Spool
}

export interface ImportRequest {
  /** Whose points they are, and of which device they may be. */
  readonly sender: Access
  readonly format: Format
  readonly mapping: Mapping
  /** The file's bytes; read as fast as points become durable. */
  readonly source: AsyncIterable<Uint8Array>
}

/** Rows of a table that the gate decodes in one go: some milliseconds of work. */
const TABLE_ROWS = 8192

/** An import failed on its way; what was accepted before is durable, and doing it again is safe. */
export class ImportFailure extends Error {
  override readonly name = 'ImportFailure'
  readonly outcome: ImportOutcome

  constructor(cause: unknown, outcome: ImportOutcome) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.outcome = outcome
  }
}

/** Brings files into Weir, through the gate, with their own times. */
export class Importer {
  readonly #options: ImporterOptions

  constructor(options: ImporterOptions) {
    this.#options = options
  }

  /** @throws ImportFailure, whose cause is a WeirError where the file or Weir is to blame. */
  async run(request: ImportRequest): Promise<ImportOutcome> {
    const { ingest } = this.#options
    const flow = new IngestFlow(decode => ingest(request.sender, decode))
    try {
      if (request.format === 'csv') await importCsv(request, flow)
      else if (request.format === 'ndjson') await this.#importNdjson(request, flow)
      else await this.#importParquet(request, flow)
      return await flow.finish()
    } catch (error) {
      // What is on its way becomes durable or not, and is counted, before the answer.
      await flow.finish().catch(() => undefined)
      throw new ImportFailure(error, flow.outcome)
    }
  }

  async #importNdjson({ source }: ImportRequest, flow: IngestFlow): Promise<void> {
    const decoder = new NdjsonDecoder()
    let line = 0
    for await (const piece of linePieces(source)) {
      decoder.look(piece)
      if (decoder.isNative === true) {
        await flow.put(target => this.#options.decodeMessages(piece, target), line)
      } else await flow.put(target => decoder.decode(piece, target))
      for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) line++
    }
  }

  async #importParquet({ source, mapping }: ImportRequest, flow: IngestFlow): Promise<void> {
    await this.#options.spool.with(source, async path => {
      for await (const chunk of readOnThread({ path, mapping })) {
        for (let from = 0; from < chunk.rows; from += TABLE_ROWS) {
          const to = Math.min(chunk.rows, from + TABLE_ROWS)
          await flow.put(target => putTable(chunk, { from, to }, target))
        }
      }
    })
  }
}

async function importCsv({ source, mapping }: ImportRequest, flow: IngestFlow): Promise<void> {
  const decoder = new CsvDecoder(mapping)
  for await (const piece of linePieces(source)) {
    decoder.push(piece.toString())
    await flow.put(target => decoder.decode(target))
    if (decoder.isBroken) return
  }
  decoder.end()
  await flow.put(target => decoder.decode(target))
}
