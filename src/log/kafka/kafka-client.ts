import type { ConnectionOptions } from 'node:tls'
import { Admin, Base, Consumer, kGetApi, type API } from '@platformatic/kafka'

/** How brokers are reached. */
export interface KafkaConnection {
  /** `host:port`, those that are asked first. */
  readonly brokers: readonly string[]
  /** What brokers call this program in their logs and quotas. */
  readonly clientId: string
  /** How long one request may take, connecting included. */
  readonly requestTimeoutMs: number
  readonly tls?: ConnectionOptions
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
    readonly username: string
    readonly password: string
  }
}

const RETRY_DELAY_MS = 100
/** What leaders of partitions and of groups are is asked again after this, or when a broker says no. */
const METADATA_MAX_AGE_MS = 60_000

function optionsOf({ tls, sasl, ...connection }: KafkaConnection) {
  const { clientId, brokers, requestTimeoutMs } = connection
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    // In `timeout` the broker has to answer, so that what it says of a time-out arrives.
    timeout: Math.ceil(requestTimeoutMs * 0.8),
    requestTimeout: requestTimeoutMs,
    connectTimeout: requestTimeoutMs,
    retryDelay: RETRY_DELAY_MS,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    autocreateTopics: false,
    ...(tls === undefined ? {} : { tls, tlsServerName: true }),
    ...(sasl === undefined ? {} : { sasl }),
  }
}

/** Retries nothing by itself. */
export function newClient(connection: KafkaConnection): Base {
  return new Base({ ...optionsOf(connection), retries: 0 })
}

export function newAdmin(connection: KafkaConnection): Admin {
  return new Admin({ ...optionsOf(connection), retries: 3 })
}

/**
 * What Kafka knows a group of Weir's as. With the topic in it, because a cluster may have the logs of
 * several Weirs: members of one group that read different topics are in each other's way.
 */
export function groupIdOf(topic: string, group: string): string {
  return `${topic}.${group}`
}

export interface ConsumerOptions {
  readonly topic: string
  readonly group: string
  /** Of one that becomes a member of the group. */
  readonly sessionTimeoutMs?: number
}

export function newConsumer(
  connection: KafkaConnection,
  { topic, group, sessionTimeoutMs }: ConsumerOptions,
): Consumer {
  const groupId = groupIdOf(topic, group)
  // A rebalance may be interrupted by the next one.
  const options = { ...optionsOf(connection), groupId, autocommit: false, retries: 5 }
  if (sessionTimeoutMs === undefined) return new Consumer(options)
  return new Consumer({
    ...options,
    // A join is answered when all members have come, or those that are dead are out.
    requestTimeout: Math.max(connection.requestTimeoutMs, sessionTimeoutMs + 2000),
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: 3 * sessionTimeoutMs,
    heartbeatInterval: Math.min(1000, Math.ceil(sessionTimeoutMs / 5)),
    // What does not come back by itself in all this time is begun anew; a broker that is away does.
    heartbeatStallTimeout: 6 * sessionTimeoutMs,
  })
}

/** The newest version of a request that library and broker both know. */
export function apiOf<Arguments extends unknown[], Answer>(
  client: Base,
  name: string,
): Promise<API<Arguments, Answer>> {
  return new Promise((resolve, reject) => {
    client[kGetApi]<Arguments, Answer>(name, (error, api) => {
      if (api === undefined) reject(error ?? new Error(`no ${name}`))
      else resolve(api)
    })
  })
}
