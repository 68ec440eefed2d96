import type { Ledger } from '../ingest/ledger.ts'
import { pointCount } from '../model/batch.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log, LogEntry, LogPosition } from '../ports/log.ts'
import type { LatestTable } from '../process/latest.ts'
import { Tail } from '../process/tail.ts'
import type { BatchConsumer } from '../process/writer.ts'
import type { Registry } from '../registry/registry.ts'

interface MemoryParts {
  readonly latest: LatestTable
  readonly registry: Registry
  readonly ledger: Ledger
  readonly publish: (entry: LogEntry) => void
}

/** Who hands entries over, and whether they are from before this process. */
interface Feed {
  readonly isReplaying: boolean
}

/** What a process with doors keeps in memory, fed by its own writer before the acknowledgement. */
export function memoryConsumers(feed: Feed, parts: MemoryParts): readonly BatchConsumer[] {
  const { ledger } = parts
  return [
    ({ batch }) => feed.isReplaying || ledger.handOver(batch.tenant, pointCount(batch)),
    ...sharedConsumers(feed, parts),
  ]
}

function sharedConsumers(
  feed: Feed,
  { latest, registry, publish }: Omit<MemoryParts, 'ledger'>,
): readonly BatchConsumer[] {
  return [
    entry => latest.update(entry.batch),
    ({ batch }, arrivalMs) =>
      feed.isReplaying ? registry.replay(batch, arrivalMs) : registry.see(batch, arrivalMs),
    publish,
  ]
}

interface TailParts extends Omit<MemoryParts, 'ledger'> {
  readonly log: Log
  readonly clock: Clock
  /** Where the store was before `latest` was read from it. */
  readonly from: readonly LogPosition[]
  readonly onFresh: (seconds: number) => void
}

/** The same, fed by the log that all processes share: points come in at other doors too. */
export function memoryTail({ log, clock, from, onFresh, ...parts }: TailParts): Tail {
  const feed = {
    get isReplaying(): boolean {
      return tail.isReplaying
    },
  }
  const consumers = sharedConsumers(feed, parts)
  const tail: Tail = new Tail({ log, clock, from, onFresh, consumers })
  return tail
}
