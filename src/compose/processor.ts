import type { Config } from '../config/schema.ts'
import type { HttpApp } from '../http/app.ts'
import { createProbeHost } from '../http/host.ts'
import { closeAll } from '../kit/close-all.ts'
import { SeriesTable } from '../model/series-table.ts'
import { Metrics } from '../observe/metrics.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Rates } from '../ports/rates.ts'
import { ANALYTICS_GROUP } from '../process/analytics.ts'
import { WRITER_GROUP } from '../process/writer.ts'
import { nodeAccess } from './access.ts'
import { readCertificates } from './certificates.ts'
import { openConsumers } from './consumers.ts'
import { openKeys, type CoreOptions } from './core.ts'
import { ledgerBooks } from './engines.ts'
import { openLedger } from './ledger.ts'
import { listenHttp } from './listen.ts'
import { announceToSiblings } from './live.ts'
import { metricsText } from './metrics-text.ts'
import { openEngines } from './open-engines.ts'
import { watchReadiness, type ReadinessWatch } from './readiness.ts'
import { version } from './version.ts'
import type { WeirNode } from './weir-node.ts'

/**
 * A node without doors: from the log that all share to the store, and the analytics. A worker of a
 * supervisor listens nowhere, because the address is the gateways'; its metrics are among theirs.
 */
export async function startProcessor(
  config: Config,
  options: CoreOptions & { readonly failed: Promise<Error> },
): Promise<WeirNode> {
  const { clock, logger, link, onFailure, failed } = options
  const metrics = new Metrics()
  const engines = await openEngines(config, { clock, metrics, logger })
  const { log, store, catalog, cache, anomalies, unitStore, rates } = engines
  const closers: (() => Promise<unknown>)[] = [catalog, anomalies, unitStore, cache, rates].map(
    part => () => part.close(),
  )
  closers.unshift(
    () => store.close(),
    () => log.close(),
  )
  const stop = (): Promise<void> => closeAll(closers.splice(0))
  try {
    const consumers = openConsumers(config, {
      ...{ log, store, anomalies, clock, logger, onFailure },
      table: new SeriesTable(),
      memory: () => [],
      announceOf: announceToSiblings(link),
      onFresh: metrics.observeFresh,
    })
    // What it can never store is in the ledger of all processes.
    const openBook = () => ledgerBooks[config.catalog.engine]({ config, clock })
    const ledger = await openLedger(config, { log, store, clock, logger, openBook })
    closers.unshift(() => ledger.close())
    closers.unshift(...consumers.parts.map(part => () => part.close()))
    await consumers.start()
    await ledger.start(consumers.writer)
    await consumers.catchUp()
    const onDamage = (blocks: number): void => {
      logger.error({ blocks }, 'blocks of the store are damaged: reads go on without their points')
    }
    const readiness = watchReadiness({ log, store, clock, logger, onDamage })
    closers.unshift(async () => readiness.stop())
    const { writer, analytics } = consumers
    metrics.attach({
      log: () => log.status(),
      lagPoints: () =>
        new Map([
          [WRITER_GROUP, writer.pendingPoints],
          [ANALYTICS_GROUP, analytics?.pendingPoints ?? 0],
        ]),
      analytics: () => analytics?.counts(),
      store: () => store.stats(),
      cache: engines.cacheFigures,
    })
    if (store.figures !== undefined) metrics.attachDatabase(() => store.figures!())
    const node = { failed, failure: () => log.status().failure, stop, ...noDoors }
    if (link !== undefined) {
      link.answer('metrics', () => metrics.json())
      return node
    }
    const app = await openProbes(config, {
      ...{ ...options, catalog, rates, metrics, readiness, closers },
    })
    return { ...node, http: await listenHttp(config, app) }
  } catch (error) {
    await stop()
    throw error
  }
}

const noDoors: Pick<WeirNode, 'release' | 'regain' | 'drain'> = {
  release: () => Promise.resolve(),
  regain: () => Promise.resolve(),
  drain: () => Promise.resolve(),
}

interface ProbeParts extends CoreOptions {
  readonly catalog: Catalog
  readonly rates: Rates
  readonly metrics: Metrics
  readonly readiness: ReadinessWatch
  /** What it opens is put in front. */
  readonly closers: (() => Promise<unknown>)[]
}

/** What tells others how the process is; not listening yet. */
async function openProbes(config: Config, parts: ProbeParts): Promise<HttpApp> {
  const { catalog, rates, clock, logger, metrics, readiness, closers, link } = parts
  const onError = (error: unknown): void => {
    logger.warn({ err: error }, 'the catalog failed; it is tried again')
  }
  const { ring } = await openKeys(config, { catalog, clock, onError })
  closers.unshift(() => ring.close())
  const app = createProbeHost(
    {
      ...{ version, clock },
      access: {
        ...nodeAccess(config, { ring, clock, rates }),
        openMetrics: config.auth.openMetrics,
      },
      logger: logger.child({ part: 'http' }),
      limits: { ...config.http, ...config.ingest, ...config.query },
      observeRequest: metrics.observeRequest.bind(metrics),
      readiness: () => readiness.now(),
      metricsText: metricsText(metrics, link),
    },
    readCertificates(config.http.tls),
  )
  closers.unshift(() => app.close())
  return app
}
