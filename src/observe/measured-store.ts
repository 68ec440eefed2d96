import type { Store } from '../ports/store.ts'

export interface StoreTimes {
  /** Seconds until the store had taken the entries of a call. */
  readonly onWrite: (seconds: number) => void
  /** Seconds until a read had its answer. */
  readonly onQuery: (kind: 'raw' | 'buckets' | 'downsample', seconds: number) => void
}

/** The same store, telling how long its writes and reads take. */
export function measuredStore(store: Store, { onWrite, onQuery }: StoreTimes): Store {
  const timed = async <T>(work: Promise<T>, done: (seconds: number) => void): Promise<T> => {
    const begun = performance.now()
    const result = await work
    done((performance.now() - begun) / 1000)
    return result
  }
  const { newest } = store
  return {
    capabilities: store.capabilities,
    write: entries => timed(store.write(entries), onWrite),
    positions: () => store.positions(),
    onCommit: listener => store.onCommit(listener),
    flush: () => store.flush(),
    read: request => timed(store.read(request), seconds => onQuery('raw', seconds)),
    buckets: request => timed(store.buckets(request), seconds => onQuery('buckets', seconds)),
    downsample: request =>
      timed(store.downsample(request), seconds => onQuery('downsample', seconds)),
    // As long as its reader takes: its time says nothing of the store.
    scan: request => store.scan(request),
    latest: () => store.latest(),
    ...(newest === undefined ? {} : { newest: request => newest.call(store, request) }),
    stats: () => store.stats(),
    ...(store.figures === undefined ? {} : { figures: () => store.figures!() }),
    close: () => store.close(),
  }
}
