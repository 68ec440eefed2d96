import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { LoadResult, StartLoad } from '../generator/load.ts'
import type { Verdict } from '../run/record.ts'
import { INGEST_MESSAGE } from '../workloads/ingest-message.ts'
import type { Slo } from '../workloads/workload.ts'
import { BenchmarkRunner } from './benchmark-runner.ts'
import { createHttpServer } from './http-server.ts'
import { ResultBook } from './result-book.ts'
import { benchmarkRoutes } from './routes.ts'

/** What a target that stalls may still answer when the service ends. */
const STOP_LIMIT_MS = 5000

export interface ServiceOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** `http://HOST:PORT` of the node that is measured. */
  readonly target: string
  readonly key?: string | undefined
  readonly resultFile: string
  /** How many results are kept. */
  readonly keep: number
  /** Whether requests may name any host. */
  readonly anyHost: boolean
  readonly version: string
  readonly startLoad: StartLoad
  readonly judge: (step: { load: LoadResult; slo: Slo }) => Verdict
  readonly report: (line: string) => void
}

export interface RunningService {
  readonly port: number
  /** Ends the benchmark that runs, keeps what it found, and closes the port. */
  stop(): Promise<void>
}

/** The benchmark service of the streaming platform API. */
export async function startBenchmarkService(options: ServiceOptions): Promise<RunningService> {
  const { host, port, target, version, resultFile, keep } = options
  const book = await ResultBook.open(resultFile, { keep })
  const runner = new BenchmarkRunner({ ...options, workload: INGEST_MESSAGE, book })
  const routes = benchmarkRoutes({ runner, book, target, version })
  const server = createHttpServer({ ...options, routes })
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    await book.close()
    throw error
  }
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      // Who waits for the end of a run has the answer before the connections are closed.
      await runner.stop(STOP_LIMIT_MS)
      setImmediate(() => server.closeAllConnections())
      await closed
      await book.close()
    },
  }
}
