import { apiCore, eventLoop, machine, unknown } from './causes/compute.ts'
import { generator, ledger } from './causes/instrument.ts'
import { cache, locks, pool, poolInMoments, queueLag, wal } from './causes/storage.ts'
import type { Cause, Explanation, Scene } from './explanation.ts'

type Look = (scene: Scene) => Explanation | undefined

/** In the order in which they outweigh each other: a full machine fills the pool too. */
export const CAUSES: readonly Look[] = [
  ledger,
  generator,
  queueLag,
  machine,
  apiCore,
  pool,
  wal,
  locks,
  poolInMoments,
  eventLoop,
  cache,
  unknown,
]

export const CAUSE_TITLES: Readonly<Record<Cause, string>> = {
  ledger: 'points were lost or doubled',
  crash: 'the system ended, or did not start',
  generator: 'the generator',
  'queue-lag': 'the consumer of the queue',
  machine: 'the machine’s cores',
  'api-core': 'the API’s core',
  pool: 'the pool of connections',
  wal: 'the database’s log on disk',
  locks: 'locks in the database',
  'event-loop': 'the API’s event loop',
  cache: 'few hits in the cache',
  unknown: 'not found',
}
