import { Admin, ConfigResourceTypes } from '@platformatic/kafka'
import { WeirError } from '../../ports/errors.ts'
import { isAnswer, reasonOf } from './kafka-error.ts'

export interface TopicOptions {
  readonly topic: string
  /** Of a topic that is made. */
  readonly partitions: number
  /** -1: the broker's default. */
  readonly replication: number
  readonly cleanup: 'delete' | 'compact'
  readonly configs: Readonly<Record<string, string>>
}

export interface Topic {
  readonly name: string
  readonly id: string
  readonly partitions: number
  /** No record batch may be larger. */
  readonly maxBatchBytes: number
}

/** What brokers allow that say nothing else. */
const USUAL_MAX_BATCH_BYTES = 1_048_588
/** Of topics that Weir makes. */
const OWN_MAX_BATCH_BYTES = 4 << 20

/**
 * Makes the topic where it is missing.
 *
 * @throws WeirError `config` when it is there and could lose points.
 */
export async function openTopic(admin: Admin, options: TopicOptions): Promise<Topic> {
  const name = options.topic
  let found = await partitionsOf(admin, name)
  if (found === undefined) {
    await create(admin, options)
    found = await partitionsOf(admin, name)
    if (found === undefined) throw new Error(`topic ${name} is not there yet`)
  }
  const configs = await configsOf(admin, name)
  const wanted = options.cleanup
  const policy = configs.get('cleanup.policy') ?? wanted
  if (policy !== wanted) {
    throw new WeirError(
      'config',
      `topic ${name} has cleanup.policy=${policy}, which would remove records that are needed: make it ${wanted}`,
    )
  }
  const maxBatchBytes = Number(configs.get('max.message.bytes') ?? USUAL_MAX_BATCH_BYTES)
  return { name, ...found, maxBatchBytes }
}

async function create(admin: Admin, options: TopicOptions): Promise<void> {
  const { topic, partitions, replication, cleanup } = options
  const wanted = {
    ...{ 'cleanup.policy': cleanup, 'max.message.bytes': String(OWN_MAX_BATCH_BYTES) },
    ...options.configs,
  }
  const configs = Object.entries(wanted).map(([name, value]) => ({ name, value }))
  try {
    await admin.createTopics({ topics: [topic], partitions, replicas: replication, configs })
  } catch (error) {
    // Another process was faster.
    if (isAnswer(error, 'TOPIC_ALREADY_EXISTS')) return
    const isHopeless = isAnswer(
      error,
      ...['INVALID_REPLICATION_FACTOR', 'INVALID_PARTITIONS', 'INVALID_CONFIG', 'POLICY_VIOLATION'],
      ...['INVALID_TOPIC_EXCEPTION', 'TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED'],
    )
    if (!isHopeless) throw error
    const reason = reasonOf(error)
    throw new WeirError('config', `Kafka does not make topic ${topic}: ${reason}`, { cause: error })
  }
}

async function partitionsOf(
  admin: Admin,
  topic: string,
): Promise<{ id: string; partitions: number } | undefined> {
  try {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
    const found = topics.get(topic)
    if (found === undefined) return undefined
    // A topic that was just made has leaders a moment later.
    if (found.partitions.some(({ leader }) => leader < 0)) throw new Error(`${topic} has no leader`)
    return { id: found.id, partitions: found.partitionsCount }
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('Unknown topic')) return undefined
    throw error
  }
}

/** Empty where Weir may not ask. */
async function configsOf(admin: Admin, topic: string): Promise<ReadonlyMap<string, string>> {
  try {
    const [description] = await admin.describeConfigs({
      resources: [
        {
          resourceType: ConfigResourceTypes.TOPIC,
          resourceName: topic,
          configurationKeys: ['max.message.bytes', 'cleanup.policy'],
        },
      ],
    })
    const values = new Map<string, string>()
    for (const { name, value } of description.configs) {
      if (typeof value === 'string') values.set(name, value)
    }
    return values
  } catch (error) {
    if (isAnswer(error, 'TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED')) {
      return new Map()
    }
    throw error
  }
}

/** The oldest offset that is kept and the one that comes next, per partition. */
export async function offsetsOf(
  admin: Admin,
  { name, partitions }: Pick<Topic, 'name' | 'partitions'>,
): Promise<{ first: number; next: number }[]> {
  const places = Array.from({ length: partitions }, (_, partition) => partition)
  const at = async (timestamp: bigint): Promise<number[]> => {
    const topics = [
      { name, partitions: places.map(partitionIndex => ({ partitionIndex, timestamp })) },
    ]
    const offsets = places.map(() => 0)
    for (const listed of await admin.listOffsets({ topics })) {
      for (const { partitionIndex, offset } of listed.partitions) {
        offsets[partitionIndex] = Number(offset)
      }
    }
    return offsets
  }
  const [first, next] = await Promise.all([at(-2n), at(-1n)])
  return places.map(partition => ({ first: first[partition], next: next[partition] }))
}
