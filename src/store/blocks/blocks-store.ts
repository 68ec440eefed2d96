import { Worker } from 'node:worker_threads'
import { systemClock } from '../../ports/clock.ts'
import type { Clock } from '../../ports/clock.ts'
import { WeirError } from '../../ports/errors.ts'
import type { LogPosition } from '../../ports/log.ts'
import type {
  BucketRead,
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
import type {
  Answer,
  FromWorker,
  PlainError,
  Question,
  ToWorker,
  WorkerOptions,
} from './protocol.ts'
import { scanPages } from './scan-pages.ts'
import { unpackBuckets, unpackPoints } from './unpack.ts'
import { WriteQueue } from './write-queue.ts'

export interface BlocksStoreOptions {
  /** A folder of the store's own. No other process may have it open. */
  readonly directory: string
  /** Bound of the memory for points that are not in blocks yet. */
  readonly headBytes?: number
  /** Points are written to blocks when they are this old, or before. */
  readonly flushIntervalMs?: number
  /** The span of one file. Decided when the store is made; later values change nothing. */
  readonly partitionMs?: number
  /** Points a block should have. */
  readonly blockPoints?: number
  /** Files held open at once. */
  readonly maxOpenPartitions?: number
  /** Blocks written in one transaction. */
  readonly transactionBlocks?: number
  readonly clock?: Clock
}

const MOST_TICK_MS = 1000

interface Waiting {
  resolve(answer: Answer): void
  reject(error: WeirError): void
}

/**
 * The embedded telemetry store. All work is done by one worker thread; this side packs frames
 * and unpacks answers, so that the doors' event loop stays free. Messages are served in order:
 * a read sees every write that was called before it.
 */
export class BlocksStore implements Store {
  readonly capabilities = { readsFollowWrites: true, commitsOnWrite: false, isShared: false }
  readonly #worker: Worker
  readonly #writes: WriteQueue
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners: ((positions: readonly LogPosition[]) => void)[] = []
  readonly #stopTicks: () => void
  #positions: readonly LogPosition[]
  #asked = 0
  #closing: Promise<void> | undefined = undefined
  #failure: WeirError | undefined = undefined
  #lastStats: StoreStats | undefined = undefined

  /** @throws WeirError when the folder cannot be opened. */
  static async open(options: BlocksStoreOptions): Promise<BlocksStore> {
    const clock = options.clock ?? systemClock
    const flushIntervalMs = options.flushIntervalMs ?? 300_000
    const workerData: WorkerOptions = {
      directory: options.directory,
      headBytes: options.headBytes ?? 128 << 20,
      flushIntervalMs,
      partitionMs: options.partitionMs ?? 86_400_000,
      blockPoints: options.blockPoints ?? 2048,
      maxOpenPartitions: options.maxOpenPartitions ?? 256,
      // Small ones keep the files small: pages that one frees serve the next but one.
      transactionBlocks: options.transactionBlocks ?? 500,
      nowMs: clock.nowMs(),
    }
    // Sources run as .ts, a built package as .js.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), { workerData })
    const positions = await whenReady(worker)
    const stopTicks = clock.every(Math.min(MOST_TICK_MS, Math.ceil(flushIntervalMs / 4)), () => {
      worker.postMessage({ kind: 'tick', nowMs: clock.nowMs() } satisfies ToWorker)
    })
    return new BlocksStore(worker, positions, stopTicks)
  }

  private constructor(worker: Worker, positions: readonly LogPosition[], stopTicks: () => void) {
    this.#worker = worker
    this.#positions = positions
    this.#stopTicks = stopTicks
    this.#writes = new WriteQueue((message, transfer) => worker.postMessage(message, transfer))
    worker.on('message', (message: FromWorker) => this.#take(message))
    worker.on('error', error => this.#fail(`the store's thread died: ${error.message}`))
    worker.on('exit', () => this.#fail(`the store's thread has ended`))
  }

  write(entries: readonly StoreEntry[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(this.#closedError())
    return this.#writes.add(entries)
  }

  positions(): Promise<readonly LogPosition[]> {
    return Promise.resolve(this.#positions)
  }

  onCommit(listener: (positions: readonly LogPosition[]) => void): void {
    this.#listeners.push(listener)
  }

  async flush(): Promise<void> {
    await this.#ask({ kind: 'flush' })
  }

  async read(request: RawRead): Promise<SeriesPoints[]> {
    const answer = await this.#ask({ kind: 'read', request })
    return 'packed' in answer ? unpackPoints(answer.packed) : []
  }

  async buckets(request: BucketRead): Promise<SeriesBuckets[]> {
    const answer = await this.#ask({ kind: 'buckets', request })
    return 'packed' in answer ? unpackBuckets(answer.packed) : []
  }

  scan(request: ScanRead): AsyncIterable<readonly SeriesPoints[]> {
    return scanPages(request, question => this.#ask(question))
  }

  async downsample(request: DownsampleRead): Promise<SeriesPoints[]> {
    const answer = await this.#ask({ kind: 'downsample', request })
    return 'packed' in answer ? unpackPoints(answer.packed) : []
  }

  async *latest(): AsyncIterable<LatestColumns> {
    let from: number | undefined = 0
    while (from !== undefined) {
      const answer: Answer = await this.#ask({ kind: 'latest', from })
      if (!('latest' in answer)) return
      if (answer.latest.devices.length > 0) yield answer.latest
      from = answer.next
    }
  }

  async stats(): Promise<StoreStats> {
    if (this.#failure !== undefined && this.#closing === undefined) {
      const none = {
        stored: 0,
        duplicate: 0,
        unsettled: 0,
        tenants: new Map(),
        series: 0,
        diskBytes: 0,
        memoryBytes: 0,
      }
      return { ...(this.#lastStats ?? none), failure: this.#failure.message }
    }
    const answer = await this.#ask({ kind: 'stats' })
    if (!('stats' in answer)) throw this.#closedError()
    this.#lastStats = answer.stats
    return answer.stats
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Stops between two transactions and flushes nothing, as a crash would. For tests of recovery. */
  async abandon(): Promise<void> {
    if (this.#failure !== undefined) return
    await this.#send({ kind: 'halt' }).catch(() => undefined)
    await this.#worker.terminate()
  }

  async #close(): Promise<void> {
    this.#stopTicks()
    if (this.#failure !== undefined) return
    const exited = new Promise<void>(resolve => this.#worker.once('exit', () => resolve()))
    try {
      await this.#send({ kind: 'close' })
    } finally {
      await exited
    }
  }

  get #isClosed(): boolean {
    return this.#closing !== undefined || this.#failure !== undefined
  }

  #closedError(): WeirError {
    return this.#failure ?? new WeirError('closed', 'the store is closed')
  }

  #ask(question: Question): Promise<Answer> {
    if (this.#isClosed) return Promise.reject(this.#closedError())
    return this.#send(question)
  }

  #send(question: Question): Promise<Answer> {
    this.#writes.sendNow()
    const id = ++this.#asked
    this.#worker.postMessage({ kind: 'ask', id, question } satisfies ToWorker)
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  #take(message: FromWorker): void {
    switch (message.kind) {
      case 'taken':
        this.#writes.taken(message)
        break
      case 'committed':
        this.#positions = message.positions
        for (const listener of this.#listeners) listener(message.positions)
        break
      case 'answer':
        this.#waiting.get(message.id)?.resolve(message.answer)
        this.#waiting.delete(message.id)
        break
      case 'refusal':
        this.#waiting.get(message.id)?.reject(toError(message.error))
        this.#waiting.delete(message.id)
        break
      default:
    }
  }

  #fail(reason: string): void {
    if (this.#failure !== undefined) return
    this.#failure = new WeirError(
      'closed',
      this.#closing === undefined ? reason : 'the store is closed',
    )
    this.#stopTicks()
    this.#writes.fail(this.#failure)
    for (const { reject } of this.#waiting.values()) reject(this.#failure)
    this.#waiting.clear()
  }
}

function whenReady(worker: Worker): Promise<readonly LogPosition[]> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('message', (message: FromWorker) => {
      worker.off('error', reject)
      if (message.kind === 'ready') resolve(message.positions)
      else if (message.kind === 'failed') reject(toError(message.error))
    })
  })
}

function toError({ kind, message, ...options }: PlainError): WeirError {
  return new WeirError(kind, message, options)
}
