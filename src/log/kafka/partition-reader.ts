import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, RecordsBatch } from '@platformatic/kafka'
import { Backoff } from '../../kit/backoff.ts'
import { newConsumer, type KafkaConnection } from './kafka-client.ts'

/** What one fetch brought of one partition; its batches may begin before what was asked for. */
export interface Fetched {
  readonly partition: number
  readonly batches: readonly RecordsBatch[]
  /** The oldest offset that the broker keeps, and the one after the last readable record. */
  readonly first: number
  readonly end: number
}

/** `isStale`: some of what was asked for could not be read; perhaps another broker leads it now. */
interface Answer {
  readonly fetched: readonly Fetched[]
  readonly isStale: boolean
}

export interface PartitionReaderOptions {
  readonly connection: KafkaConnection
  readonly topic: string
  readonly group: string
  /** Of one fetch of one broker. */
  readonly maxFetchBytes: number
  /**
   * Called with what a fetch brought, never concurrently; nothing more is fetched while it is
   * pending. It returns the next offset wanted of each partition of it.
   */
  readonly take: (
    fetched: readonly Fetched[],
  ) => Promise<ReadonlyMap<number, number>> | ReadonlyMap<number, number>
  /** Retention was faster: so many offsets are gone. */
  readonly onExpired: (count: number) => void
  /** The log ends before a position that was wanted: brokers have lost records. It reads no more. */
  readonly onLost: (partition: number, position: number, end: number) => void
}

const MAX_WAIT_MS = 250
const OFFSET_OUT_OF_RANGE = 1

type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>

interface Run {
  isOver: boolean
  /** The partitions and the next offset wanted of each. */
  readonly positions: Map<number, number>
  done: Promise<unknown>
}

/**
 * Reads the partitions that it is given: from each broker that leads some of them one fetch at a time,
 * handed on one after the other. A broker that is away is asked again and again.
 */
export class PartitionReader {
  readonly #options: PartitionReaderOptions
  readonly #consumer: Consumer
  #run: Run | undefined
  #taking: Promise<void> = Promise.resolve()
  readonly #closing = new AbortController()

  constructor(options: PartitionReaderOptions) {
    this.#options = options
    this.#consumer = newConsumer(options.connection, options)
    this.#consumer.topics.track(options.topic)
  }

  /** The next offset wanted of each partition that is read. */
  get positions(): ReadonlyMap<number, number> {
    return this.#run?.positions ?? new Map()
  }

  /** Reads these from now on, each from the offset given. Call `stop` before. */
  start(positions: ReadonlyMap<number, number>): void {
    const run: Run = { isOver: false, positions: new Map(positions), done: Promise.resolve() }
    this.#run = run
    if (positions.size > 0 && !this.#closing.signal.aborted) run.done = this.#read(run)
  }

  /** Nothing that is being fetched is handed on any more; for code that cannot wait. */
  halt(): void {
    if (this.#run !== undefined) this.#run.isOver = true
  }

  /** Resolves when nothing is being fetched or handed on; returns where it was. */
  async stop(): Promise<ReadonlyMap<number, number>> {
    this.halt()
    await this.#run?.done
    return this.positions
  }

  async close(): Promise<void> {
    this.halt()
    this.#closing.abort()
    await this.#taking
    await this.#consumer.close(true)
    await this.#run?.done
  }

  /** Fetches from all leaders until one of them fails, then asks who leads now. */
  async #read(run: Run): Promise<void> {
    const { topic } = this.#options
    const backoff = new Backoff({ firstMs: 50, lastMs: 2000 })
    for (let isFirst = true; !run.isOver; isFirst = false) {
      try {
        const metadata = await this.#consumer.metadata({ topics: [topic], forceUpdate: !isFirst })
        const found = metadata.topics.get(topic)
        if (found === undefined) throw new Error(`no topic ${topic}`)
        const byLeader = new Map<number, number[]>()
        for (const partition of run.positions.keys()) {
          const leader = found.partitions[partition]?.leader ?? -1
          byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition])
        }
        const scope = { isOver: false, backoff }
        await Promise.all(
          Array.from(byLeader, ([node, partitions]) =>
            this.#follow(run, scope, { node, topicId: found.id, partitions }),
          ),
        )
      } catch {
        // The next round tells; who waits for what is not fetched sees the lag.
      }
      if (run.isOver) return
      const { signal } = this.#closing
      await sleep(backoff.next(), undefined, { signal }).catch(() => {})
    }
  }

  async #follow(
    run: Run,
    scope: { isOver: boolean; readonly backoff: Backoff },
    from: { node: number; topicId: string; partitions: readonly number[] },
  ): Promise<void> {
    while (!run.isOver && !scope.isOver) {
      let answer: Answer
      try {
        answer = await this.#fetch(run, from)
      } catch {
        scope.isOver = true
        return
      }
      const { fetched, isStale } = answer
      scope.backoff.reset()
      if (isStale) scope.isOver = true
      if (fetched.length === 0) continue
      const taken = this.#taking.then(() => this.#take(run, fetched))
      this.#taking = taken
      await taken
    }
  }

  async #take(run: Run, fetched: readonly Fetched[]): Promise<void> {
    if (run.isOver) return
    try {
      const next = await this.#options.take(fetched)
      for (const [partition, offset] of next) run.positions.set(partition, offset)
    } catch {
      // Whoever takes has said why by then, and closes this reader.
      run.isOver = true
    }
  }

  async #fetch(
    run: Run,
    { node, topicId, partitions }: { node: number; topicId: string; partitions: readonly number[] },
  ): Promise<Answer> {
    const { maxFetchBytes } = this.#options
    const asked = partitions.map(partition => ({
      partition,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      fetchOffset: BigInt(run.positions.get(partition) ?? 0),
      partitionMaxBytes: Math.ceil(maxFetchBytes / Math.min(4, partitions.length)),
    }))
    try {
      const response = await this.#consumer.fetch({
        ...{ node, topics: [{ topicId, partitions: asked }] },
        ...{ minBytes: 1, maxBytes: maxFetchBytes, maxWaitTime: MAX_WAIT_MS },
      })
      return { fetched: this.#fetched(run, response), isStale: false }
    } catch (error) {
      const answers = responsesIn(error)
      if (answers.length === 0) throw error
      // Some partitions could not be read; those that could are.
      const fetched = answers.flatMap(answer => this.#fetched(run, answer))
      const codes = answers
        .flatMap(({ responses }) => responses.flatMap(one => one.partitions))
        .map(({ errorCode }) => errorCode)
      const isStale = codes.some(code => code !== 0 && code !== OFFSET_OUT_OF_RANGE)
      if (codes.includes(OFFSET_OUT_OF_RANGE)) await this.#comeInside(run, partitions)
      else if (fetched.length === 0) throw error
      return { fetched, isStale }
    }
  }

  /** Goes on at the oldest record where the one wanted has been removed. */
  async #comeInside(run: Run, partitions: readonly number[]): Promise<void> {
    const topics = [this.#options.topic]
    const [first = [], end = []] = await Promise.all(
      [-2n, -1n].map(async timestamp => {
        const offsets = await this.#consumer.listOffsets({ topics, timestamp })
        return offsets.get(this.#options.topic)?.map(Number)
      }),
    )
    for (const partition of partitions) {
      const position = run.positions.get(partition) ?? 0
      if (position < first[partition]) {
        run.positions.set(partition, first[partition])
        this.#options.onExpired(first[partition] - position)
      } else if (position > end[partition]) {
        run.isOver = true
        this.#options.onLost(partition, position, end[partition])
      }
    }
  }

  #fetched(run: Run, { responses }: FetchResponse): Fetched[] {
    const fetched: Fetched[] = []
    for (const answer of responses.flatMap(({ partitions }) => partitions)) {
      const partition = answer.partitionIndex
      const [first, end] = [Number(answer.logStartOffset), Number(answer.highWatermark)]
      if (!run.positions.has(partition) || run.isOver) continue
      if (answer.errorCode !== 0) continue
      fetched.push({ partition, batches: answer.records ?? [], first, end })
    }
    return fetched
  }
}

/** Answers that came with partitions that could not be read. */
function responsesIn(error: unknown): FetchResponse[] {
  if (!(error instanceof Error)) return []
  const { response, errors } = error as { response?: FetchResponse; errors?: unknown[] }
  if (response !== undefined) return Array.isArray(response.responses) ? [response] : []
  // The last of several tries.
  return errors === undefined ? [] : responsesIn(errors.at(-1))
}
