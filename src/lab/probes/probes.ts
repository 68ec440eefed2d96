import type { LoadResult } from '../generator/load.ts'
import { historyPoints } from '../system/history.ts'
import { HttpClient } from '../system/http-client.ts'
import {
  LEDGER_TIMEOUT_MS,
  readLedger,
  storedOf,
  weirLedger,
  type Ledger,
} from '../system/ledger.ts'
import { HAS_PROC } from '../system/process-tree.ts'
import type { SystemUnderTest } from '../system/system.ts'
import type { Workload } from '../workloads/workload.ts'
import { BacklogProbe } from './backlog-probe.ts'
import { countPoints } from './counted-points.ts'
import { databaseFigures, DatabaseProbe, type DatabaseSample } from './database-probe.ts'
import type { BacklogFigures, LedgerFigures, ProbeFigures, ResourceSample } from './figures.ts'
import { FreshnessProbe, PROBE_DEVICE } from './freshness-probe.ts'
import { checkLedger } from './ledger-check.ts'
import { nodeFigures, sampleNode, type NodeSample } from './node-probe.ts'
import { ResourceProbe } from './resource-probe.ts'
import { latencyOf } from './summary.ts'

export interface ProbesOptions {
  readonly workload: Workload
  /** Of the times at which freshness is looked at. */
  readonly seed: number
  readonly warmUpMs: number
}

export interface FinishOptions {
  /** How long the backlog, and points that are not visible, are waited for. */
  readonly drainLimitMs: number
  /** Whether distinct points are also counted by queries. */
  readonly counts: boolean
}

/** What looks at a system while it is under load. */
export interface RunningProbes {
  /** When the load has ended. The system must still run. */
  finish(load: LoadResult, options: FinishOptions): Promise<ProbeFigures>
  /** Without figures. Idempotent. */
  stop(): Promise<void>
  /** The last sample, for people who watch; its time is since the start of the probes. */
  latest(): ResourceSample | undefined
}

const INTERVAL_MS = 1000

/**
 * Starts looking at a system; call it right before the load. What a system has not got, such as
 * processes of this machine or a ledger, is left out: points are sent only to a Weir.
 *
 * @throws Error where its database cannot be reached.
 */
export async function startProbes(
  system: SystemUnderTest,
  options: ProbesOptions,
): Promise<RunningProbes> {
  const client = new HttpClient(system.url, system.key)
  const { databaseUrl, databaseName } = system
  try {
    const [before, database] = await Promise.all([
      weirLedger(client),
      databaseUrl === undefined || databaseName === undefined
        ? undefined
        : DatabaseProbe.open(databaseUrl, databaseName),
    ])
    return new Probes(system, { ...options, client, before, database })
  } catch (error) {
    client.close()
    throw error
  }
}

interface ProbesParts extends ProbesOptions {
  readonly client: HttpClient
  readonly before: Ledger | undefined
  readonly database: DatabaseProbe | undefined
}

/** By `performance.now()`. */
interface Window {
  readonly startMs: number
  readonly fromMs: number
  readonly toMs: number
}

class Probes implements RunningProbes {
  readonly #system: SystemUnderTest
  readonly #parts: ProbesParts
  readonly #startedMs = performance.now()
  readonly #resources: ResourceProbe | undefined
  readonly #backlog: BacklogProbe | undefined
  readonly #freshness: FreshnessProbe | undefined
  readonly #node: NodeSample[] = []
  readonly #databases: DatabaseSample[] = []
  readonly #timer: NodeJS.Timeout
  #sampling: Promise<unknown> | undefined
  #stopping: Promise<void> | undefined

  constructor(system: SystemUnderTest, parts: ProbesParts) {
    this.#system = system
    this.#parts = parts
    const { client, before, seed } = parts
    const hasProcesses = HAS_PROC && system.processes().length > 0
    if (hasProcesses) this.#resources = new ResourceProbe(() => system.processes())
    if (before !== undefined) {
      this.#backlog = new BacklogProbe(client)
      this.#freshness = new FreshnessProbe(client, seed)
      this.#backlog.start()
      this.#freshness.start()
    }
    this.#timer = setInterval(() => this.#sample(), INTERVAL_MS)
    this.#sample()
  }

  latest(): ResourceSample | undefined {
    return this.#resources?.last(this.#startedMs)
  }

  async finish(load: LoadResult, options: FinishOptions): Promise<ProbeFigures> {
    const window = this.#windowOf(load)
    this.#sample()
    clearInterval(this.#timer)
    const within = <T extends { readonly atMs: number }>(samples: readonly T[]): T[] =>
      samples.filter(({ atMs }) => atMs >= window.fromMs && atMs <= window.toMs + INTERVAL_MS)
    const freshened = this.#freshness?.finish(options.drainLimitMs)
    const backlog = await this.#finishBacklog(window, options)
    await freshened
    await this.#sampling
    try {
      const ledger = await this.#checkLedger(load, options)
      const database = databaseFigures(within(this.#databases))
      return {
        roles: this.#resources?.roles(window) ?? [],
        ...(database && { database }),
        ...{ node: nodeFigures(within(this.#node)), backlog, ledger },
        freshness: latencyOf(this.#freshness?.latencies(window.fromMs, window.toMs) ?? []),
        ...(this.#resources?.machine(window, load.generatorCpuShare) ?? { stealPct: 0 }),
        diskBytes: await this.#system.diskBytes(),
        samples: this.#resources?.samples(window.startMs) ?? [],
      }
    } finally {
      await this.stop()
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#freshness?.stop()
    await this.#backlog?.stop()
    await this.#sampling
    await this.#parts.database?.close()
    this.#parts.client.close()
  }

  /** One look at everything; what answers late is not asked again meanwhile. */
  #sample(): void {
    this.#resources?.sample(this.#backlog?.points ?? 0)
    if (this.#sampling !== undefined) return
    const { client, database } = this.#parts
    const node = sampleNode(client).then(sample => sample && this.#node.push(sample))
    const asked = database?.sample().then(sample => sample && this.#databases.push(sample))
    this.#sampling = Promise.all([node, asked]).finally(() => (this.#sampling = undefined))
  }

  #windowOf({ startedAt, measuredMs }: LoadResult): Window {
    const agoMs = Date.now() - Date.parse(startedAt)
    const startMs = performance.now() - agoMs
    const fromMs = startMs + this.#parts.warmUpMs
    return { startMs, fromMs, toMs: fromMs + measuredMs }
  }

  async #finishBacklog(window: Window, { drainLimitMs }: FinishOptions): Promise<BacklogFigures> {
    if (this.#backlog === undefined) return { slopePerSecond: 0, maxPoints: 0 }
    const drainedAtMs = await this.#backlog.drain(window.toMs, drainLimitMs)
    const figures = this.#backlog.figures(window.fromMs, window.toMs)
    if (drainedAtMs === undefined) return figures
    return { ...figures, drainedMs: drainedAtMs - window.toMs }
  }

  async #checkLedger(load: LoadResult, { counts }: FinishOptions): Promise<LedgerFigures> {
    const { client, workload, before } = this.#parts
    const own = this.#freshness?.counts() ?? { acknowledged: 0, uncertain: 0 }
    const acknowledged = load.acknowledgedPoints + own.acknowledged
    const uncertain = load.uncertainPoints + own.uncertain
    const none = { acknowledged, uncertain, stored: 0, imbalance: 0 }
    if (before === undefined) {
      return { ...none, missing: 'the system is no Weir: nobody knows its points', problems: [] }
    }
    try {
      const after = await readLedger(client, LEDGER_TIMEOUT_MS)
      const sides = { before, after, acknowledged, uncertain }
      // Of a system that had other points before, queries cannot tell what has come since.
      const isOurs = storedOf(before) === historyPoints(workload)
      if (!counts || !isOurs) return checkLedger(sides)
      const counted = (await countPoints(client, workload, [PROBE_DEVICE])) - storedOf(before)
      return checkLedger({ ...sides, counted })
    } catch (error) {
      return { ...none, unread: (error as Error).message, problems: [] }
    }
  }
}
