import type { Config } from '../config/schema.ts'
import type { SeriesTable } from '../model/series-table.ts'
import type { Logger } from '../observe/logger.ts'
import type { Anomalies } from '../ports/anomalies.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import type { Analytics } from '../process/analytics.ts'
import { Burials } from '../process/burials.ts'
import { Writer, WRITER_GROUP, type BatchConsumer } from '../process/writer.ts'
import { analyticsOf } from './analytics.ts'
import type { Announce } from './live.ts'

/** What the other parts of a node ask of its writer. */
export type WriterFigures = Pick<Writer, 'counts' | 'pendingPoints' | 'isReplaying' | 'buried'>

/** What stands behind the log: the writer and the analytics, in a process that has them. */
export interface Consumers {
  readonly writer: WriterFigures
  /** Absent where they are off, or in other processes. */
  readonly analytics: Analytics | undefined
  /** Resolves when the store has been given what the log had. */
  start(): Promise<void>
  /** Resolves when the analytics have seen it too. */
  catchUp(): Promise<void>
  /** In the order in which they close. */
  readonly parts: readonly { close(): Promise<void> }[]
}

export interface ConsumerParts {
  readonly log: Log
  readonly store: Store
  readonly anomalies: Anomalies
  readonly table: SeriesTable
  readonly clock: Clock
  readonly logger: Logger
  /** What sees each entry on its way to the store; needs to know when the writer replays. */
  readonly memory: (writer: WriterFigures) => readonly BatchConsumer[]
  readonly announceOf: Announce
  readonly onFresh: (seconds: number) => void
  readonly onFailure: (error: unknown) => void
}

export function openConsumers(config: Config, parts: ConsumerParts): Consumers {
  const { log, store, clock, logger, memory, onFresh, onFailure } = parts
  const burials = burialsOf(config, parts)
  const writer: Writer = new Writer({
    ...{ log, store, clock, onFailure, onFresh },
    consumers: memory({
      counts: tenant => writer.counts(tenant),
      buried: () => writer.buried(),
      get pendingPoints() {
        return writer.pendingPoints
      },
      get isReplaying() {
        return writer.isReplaying
      },
    }),
    maxPendingBytes: config.store.maxPendingBytes,
    onWarning: err => {
      logger.warn({ err }, 'the log keeps entries that the store has; the next commit tells it')
    },
    onDeadLetter: (entries, error) => {
      const positions = entries.map(({ position }) => position)
      logger.error({ err: error, positions }, 'entries of the log can never be stored')
      burials?.bury(entries, error.message)
    },
  })
  const analytics = analyticsOf(config, parts)
  return {
    writer,
    analytics,
    async start() {
      // Until a group has subscribed, a log may keep nothing for it.
      await analytics?.start()
      await writer.start()
    },
    catchUp: async () => analytics?.catchUp(),
    parts: [writer, burials, analytics].filter(part => part !== undefined),
  }
}

/** Absent where the log has no place for dead letters. */
function burialsOf(config: Config, { log, logger }: ConsumerParts): Burials | undefined {
  const { deadLetters } = log
  if (deadLetters === undefined) return undefined
  return new Burials({
    ...{ deadLetters, group: WRITER_GROUP },
    // The doors have had half of it.
    closeTimeoutMs: config.shutdownTimeoutMs / 4,
    onError: (err, isLast) => {
      const what = isLast ? 'they are only in the log' : 'it is tried again'
      logger.error({ err }, `entries cannot be put among the dead letters; ${what}`)
    },
  })
}

/** In a process that leaves them to others. */
export const noConsumers: Consumers = {
  writer: {
    counts: () => ({ pendingPoints: 0, deadLettered: 0 }),
    buried: () => [],
    pendingPoints: 0,
    isReplaying: false,
  },
  analytics: undefined,
  start: () => Promise.resolve(),
  catchUp: () => Promise.resolve(),
  parts: [],
}
