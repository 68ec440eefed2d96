import {
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { WeirError } from '../../ports/errors.ts'
import { NAME_IN_USE, STREAM_NOT_FOUND } from './errors.ts'
import type { Names } from './names.ts'

export interface StreamOptions {
  /** Where there are streams already, at least as many as they are. */
  readonly partitions: number
  readonly replicas: number
  /** Of all partitions together. */
  readonly maxBytes: number
}

/** What may be sent twice comes again within the time-out of an append. */
const DUPLICATE_WINDOW_MS = 60_000
/** Dead letters are looked at; the oldest go when nobody does. */
const MAX_DEAD_BYTES = 256 << 20
const MAX_STATE_BYTES = 16 << 20

/**
 * Makes the streams that are missing and brings the others to what is configured.
 *
 * @returns how many partitions there are. A log never loses partitions, because they may hold
 *   entries that nobody would read any more.
 */
export async function ensureStreams(
  manager: JetStreamManager,
  names: Names,
  { partitions, replicas, maxBytes }: StreamOptions,
): Promise<number> {
  const existing = await partitionsOf(manager, names)
  const count = Math.max(partitions, existing)
  const shared = { storage: StorageType.File, num_replicas: replicas }
  const each = Math.ceil(maxBytes / count)
  for (let partition = 0; partition < count; partition++) {
    const { stream, subject } = names.entries(partition)
    await ensure(manager, {
      ...shared,
      name: stream,
      subjects: [subject],
      // Nothing that is not stored is ever dropped: a full log refuses what comes.
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_bytes: each,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    })
  }
  const last = { ...shared, max_msgs_per_subject: 1, discard: DiscardPolicy.Old }
  const { state, dead } = names
  await ensure(manager, {
    ...last,
    ...{ name: state.stream, subjects: [state.subject], max_bytes: MAX_STATE_BYTES },
  })
  await ensure(manager, {
    ...last,
    ...{ name: dead.stream, subjects: [dead.subject], max_bytes: MAX_DEAD_BYTES },
  })
  return count
}

async function partitionsOf(manager: JetStreamManager, names: Names): Promise<number> {
  const found = new Set<string>()
  for await (const name of manager.streams.names(names.allEntries)) found.add(name)
  let count = 0
  while (found.has(names.entries(count).stream)) count++
  return count
}

type Wanted = Partial<StreamConfig> & Pick<StreamConfig, 'name'>

async function ensure(manager: JetStreamManager, wanted: Wanted): Promise<void> {
  try {
    const { config } = await infoOf(manager, wanted)
    const differs = (Object.keys(wanted) as (keyof Wanted)[]).some(
      key => JSON.stringify(config[key]) !== JSON.stringify(wanted[key]),
    )
    if (differs) await manager.streams.update(wanted.name, wanted)
  } catch (cause) {
    if (!(cause instanceof JetStreamApiError)) throw cause
    const message = `NATS stream ${wanted.name}: ${cause.message} (${cause.code})`
    throw new WeirError('config', message, { cause })
  }
}

async function infoOf(manager: JetStreamManager, wanted: Wanted): Promise<StreamInfo> {
  for (;;) {
    try {
      return await manager.streams.info(wanted.name)
    } catch (error) {
      if (!isCode(error, STREAM_NOT_FOUND)) throw error
    }
    try {
      return await manager.streams.add(wanted)
    } catch (error) {
      // Another process that starts at the same time was first.
      if (!isCode(error, NAME_IN_USE)) throw error
    }
  }
}

function isCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code
}
