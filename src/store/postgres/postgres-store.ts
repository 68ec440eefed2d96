import { migrate } from '../../postgres/migrate.ts'
import { PostgresPool } from '../../postgres/postgres-pool.ts'
import type { PostgresOptions } from '../../postgres/postgres-pool.ts'
import { makeStatementsExtension, SlowestStatements } from '../../postgres/slowest-statements.ts'
import { systemClock } from '../../ports/clock.ts'
import type { Clock } from '../../ports/clock.ts'
import { WeirError } from '../../ports/errors.ts'
import type { NewestRead, SeriesTime } from '../../ports/latest.ts'
import type { LogPosition } from '../../ports/log.ts'
import type {
  BucketRead,
  DatabaseFigures,
  DownsampleRead,
  LatestColumns,
  RawRead,
  ScanRead,
  SeriesBuckets,
  SeriesPoints,
  Store,
  StoreEntry,
  StoreStats,
} from '../../ports/store.ts'
import { readBuckets } from './bucket-reads.ts'
import { Committer } from './committer.ts'
import { readNewestSeries } from './newest-series.ts'
import { keepLatest, neglectLatest } from './latest-table.ts'
import { Partitions } from './partitions.ts'
import { PendingWrites } from './pending-writes.ts'
import { readRaw } from './point-reads.ts'
import type { ReadContext } from './point-reads.ts'
import { Positions } from './positions.ts'
import { latestPoints, readDownsampled, scanPoints } from './scan-reads.ts'
import { Rollups } from './rollups.ts'
import { MIGRATIONS } from './schema.ts'
import { SeriesIndex } from './series-index.ts'
import { StatsReader } from './stats-reader.ts'
import { CHANGE_COMPRESSED, useTimescale } from './timescale.ts'
import { Upkeep } from './upkeep.ts'
import type { Task } from './upkeep.ts'
import { MergedWriter, SingleWriter } from './writer.ts'
import type { Writer } from './writer.ts'

export interface PostgresStoreOptions {
  readonly postgres: PostgresOptions
  /**
   * `merged`: what waits is written in one transaction, and the newest points have a table.
   * `single`: a statement and a commit for each entry, and nothing besides: to compare with.
   */
  readonly writes?: 'merged' | 'single'
  /** The span of a partition that is made from now on. */
  readonly partitionMs?: number
  /** Bytes of entries that are not committed; beyond it writes are refused as overloaded. */
  readonly maxPendingBytes?: number
  /** Where TimescaleDB is: chunks are compressed when all their points are older. */
  readonly compressAfterMs?: number
  /** Partitions whose points are all older are dropped; 0: none. */
  readonly retentionMs?: number
  readonly clock?: Clock
  /** What people should know, although everything works. */
  readonly onWarning?: ((message: string) => void) | undefined
  /** Which log the positions are of. */
  readonly log?: string
}

const DAY_MS = 86_400_000

/**
 * The telemetry store in PostgreSQL. A write is resolved when its transaction is committed: points, newest points, counts
 * and log positions together. Any number of processes share it.
 */
export class PostgresStore implements Store {
  readonly capabilities = { readsFollowWrites: false, commitsOnWrite: true, isShared: true }
  readonly #context: ReadContext
  readonly #positions: Positions
  readonly #pending: PendingWrites
  readonly #writer: Writer
  readonly #stats: StatsReader
  readonly #slowest: SlowestStatements
  readonly #upkeep: Upkeep
  readonly #listeners: ((positions: readonly LogPosition[]) => void)[] = []
  #closing: Promise<void> | undefined = undefined

  /** Makes or brings up to date its tables. @throws WeirError */
  static async open(options: PostgresStoreOptions): Promise<PostgresStore> {
    const pool = await PostgresPool.open({ ...options.postgres, greeting: CHANGE_COMPRESSED })
    try {
      await migrate(pool, { part: 'store', migrations: MIGRATIONS })
      await makeStatementsExtension(pool)
      const keepsLatest = (options.writes ?? 'merged') === 'merged'
      if (keepsLatest) await keepLatest(pool)
      else await neglectLatest(pool)
      const { partitionMs = DAY_MS, compressAfterMs = 7 * DAY_MS } = options
      const kind = await useTimescale(pool, { partitionMs, compressAfterMs })
      const isHypertable = kind === 'hypertable'
      const partitions = new Partitions(pool, { partitionMs, isHypertable })
      await partitions.load()
      return new PostgresStore(options, { pool, partitions, keepsLatest })
    } catch (error) {
      await pool.close()
      throw error
    }
  }

  private constructor(options: PostgresStoreOptions, context: ReadContext) {
    const { pool, partitions, keepsLatest } = context
    this.#context = context
    this.#positions = new Positions(pool, options.log ?? 'log')
    this.#stats = new StatsReader(pool, partitions)
    this.#slowest = new SlowestStatements(pool)
    const { clock = systemClock, onWarning = () => {} } = options
    this.#upkeep = new Upkeep(tasksOf(options, context), { clock, onWarning })
    const index = new SeriesIndex(pool)
    const committer = new Committer({
      ...{ pool, index, partitions, positions: this.#positions, keepsLatest },
    })
    const pending = new PendingWrites(options.maxPendingBytes ?? Infinity)
    this.#pending = pending
    const writerOptions = { committer, pending, onCommit: () => this.#tell() }
    this.#writer = keepsLatest ? new MergedWriter(writerOptions) : new SingleWriter(writerOptions)
  }

  async write(entries: readonly StoreEntry[]): Promise<void> {
    this.#mustBeOpen()
    if (entries.length === 0) return
    await this.#writer.write(entries)
  }

  async positions(): Promise<readonly LogPosition[]> {
    const positions = await this.#positions.read()
    for (const { partition, offset } of positions) this.#pending.order.reached(partition, offset)
    return positions
  }

  onCommit(listener: (positions: readonly LogPosition[]) => void): void {
    this.#listeners.push(listener)
  }

  async flush(): Promise<void> {
    this.#mustBeOpen()
    await this.#writer.drained()
  }

  read(request: RawRead): Promise<SeriesPoints[]> {
    return readRaw(this.#context, request)
  }

  buckets(request: BucketRead): Promise<SeriesBuckets[]> {
    return readBuckets(this.#context, request)
  }

  scan(request: ScanRead): AsyncIterable<readonly SeriesPoints[]> {
    return scanPoints(this.#context, request)
  }

  downsample(request: DownsampleRead): Promise<SeriesPoints[]> {
    return readDownsampled(this.#context, request)
  }

  latest(): AsyncIterable<LatestColumns> {
    return latestPoints(this.#context)
  }

  newest(request: NewestRead): Promise<readonly SeriesTime[]> {
    return readNewestSeries(this.#context, request)
  }

  async stats(): Promise<StoreStats> {
    return { ...(await this.#stats.read()), memoryBytes: this.#pending.bytes }
  }

  async figures(): Promise<DatabaseFigures> {
    const statements = await this.#slowest.read()
    return { connections: this.#context.pool.figures(), statements }
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    // One after the other: what is cancelled then is no write.
    await this.#writer.drained()
    await this.#upkeep.stop()
    await this.#context.pool.close()
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw new WeirError('closed', 'the store is closed')
  }

  #tell(): void {
    const positions = this.#positions.known
    if (positions.length === 0) return
    for (const listener of this.#listeners) listener(positions)
  }
}

/** What old points need: dropped when they are older than is kept, and rolled up, unless TimescaleDB does so. */
function tasksOf(
  { retentionMs = 0, clock = systemClock }: PostgresStoreOptions,
  { pool, partitions }: ReadContext,
): Task[] {
  const rollups = new Rollups(pool, { partitions, clock })
  const drop: Task = {
    failure: 'points that are older than is kept could not be dropped',
    run: () => partitions.dropBefore((clock.nowMs() - retentionMs) * 1000),
  }
  const rollUp: Task = {
    failure: 'old points could not be rolled up',
    run: () => rollups.run(),
    stop: () => rollups.stop(),
  }
  return [...(retentionMs > 0 ? [drop] : []), ...(partitions.isHypertable ? [] : [rollUp])]
}
