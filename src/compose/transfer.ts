import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Transfer } from '../http/services.ts'
import { decodeTelemetryLines } from '../ingest/dialects/native.ts'
import type { IngestGate } from '../ingest/gate.ts'
import type { PointSink } from '../ingest/point-sink.ts'
import type { Store } from '../ports/store.ts'
import { exportPoints } from '../transfer/export-points.ts'
import { Importer } from '../transfer/importer.ts'
import { Slots } from '../transfer/slots.ts'
import { Spool } from '../transfer/spool.ts'

interface TransferParts {
  readonly store: Pick<Store, 'scan' | 'read'>
  readonly gate: Pick<IngestGate, 'ingestHistory'>
}

/** Files out of the store and in through the gate. */
export function openTransfer({ data, transfer }: Config, { store, gate }: TransferParts): Transfer {
  return {
    exportPoints: request => exportPoints(store, request),
    importer: new Importer({
      ingest: (sender, decode) => gate.ingestHistory(sender, decode),
      // The target is the gate's sink, which `ingest` above gave.
      decodeMessages: (piece, target) => decodeTelemetryLines(piece, target as PointSink),
      spool: new Spool(join(data, 'transfer'), transfer.maxSpoolBytes),
    }),
    slots: new Slots(transfer.maxRunning, 'transfer.maxRunning'),
  }
}
