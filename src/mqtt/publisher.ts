import type { Rejection } from '../model/rejection.ts'
import type { Broker, BrokerMessage } from './broker.ts'
import type { InboundMessage, MessageBatch } from './message.ts'
import type { MessageCounts } from './message-counts.ts'
import type { Access } from '../model/access.ts'
import type { MqttIngest, MqttIngestOutcome, MqttLogger, TelemetryMessage } from './options.ts'
import { rateLimited } from './rate-limited.ts'
import type { TopicRoute, TopicRoutes } from './topic-routes.ts'

export interface PublisherOptions {
  readonly broker: Broker
  readonly counts: MessageCounts
  readonly routes: TopicRoutes
  readonly ingest: MqttIngest
  readonly log: MqttLogger
}

/** Passes messages on to subscribers once they are durable, and tells why points were refused. */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #warn: MqttLogger['warn']

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#warn = rateLimited((fields, message) => options.log.warn(fields, message))
  }

  settled({ messages, telemetry }: MessageBatch, { rejected }: MqttIngestOutcome): void {
    const { counts } = this.#options
    counts.stored += telemetry.length
    const refused = notTheirs(telemetry, rejected)
    for (const message of messages) {
      const { route, retain, isRepeated, isForbidden } = message
      if (isForbidden || refused?.has(message) === true) this.#forbidden(message)
      else if (route.isPrivate) continue
      else if ((retain || this.#isWanted(route)) && !isRepeated) this.#publish(message)
    }
    let last = -1
    for (const rejection of rejected) {
      const message = telemetry[rejection.index]
      if (message === undefined) continue
      if (rejection.index !== last) {
        counts.stored--
        counts.refused++
      }
      last = rejection.index
      this.#explain(message.route.topic, message.target.deviceId, rejection)
    }
  }

  /** The whole batch was refused for good; as messages they are delivered all the same. */
  refused(batch: MessageBatch, error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error)
    this.settled(batch, {
      accepted: 0,
      rejected: batch.telemetry.map((_, index) => ({
        index,
        field: '',
        detail,
        reason: 'malformed',
        points: 1,
      })),
    })
  }

  /**
   * A will on a telemetry topic is a point too (`devices/p1/status` = `offline`). False when it is
   * of a device that the client may not write.
   */
  async ingestWill(
    sender: Access,
    { topic, payload }: BrokerMessage,
    { arrivalUs, user }: Pick<TelemetryMessage, 'arrivalUs' | 'user'>,
  ): Promise<boolean> {
    const { target } = this.#options.routes.route(topic)
    if (target === undefined) return true
    try {
      const message = { target, payload, arrivalUs, user }
      const { rejected } = await this.#options.ingest(sender, [message])
      for (const rejection of rejected) this.#explain(topic, target.deviceId, rejection)
      return rejected.every(({ reason }) => reason !== 'forbidden')
    } catch (error) {
      // Nobody waits for its acknowledgement; it is delivered as a message at least.
      this.#warn({ topic: topic.slice(0, 200), error: String(error) }, 'could not store a will')
      return true
    }
  }

  #publish({ route, payload, qos, retain }: InboundMessage): void {
    // A copy: what subscribers or the retained messages keep must not pin the whole socket read.
    this.#options.broker.publish({ topic: route.topic, payload: Buffer.from(payload), qos, retain })
  }

  #forbidden({ route }: InboundMessage): void {
    this.#options.counts.forbidden++
    this.#warn({ topic: route.topic.slice(0, 200) }, 'a client published where it may not')
  }

  #isWanted(route: TopicRoute): boolean {
    const { broker } = this.#options
    const version = broker.version()
    if (route.version !== version) {
      route.isWanted = broker.isWanted(route.topic)
      route.version = version
    }
    return route.isWanted
  }

  #explain(topic: string, deviceId: string, { field, detail, reason }: Rejection): void {
    const shown = topic.slice(0, 200)
    this.#warn({ topic: shown, field, reason, detail }, 'refused points of an MQTT message')
    const { broker } = this.#options
    const answer = `devices/${deviceId}/telemetry/refused`
    if (deviceId === '' || !broker.isWanted(answer)) return
    const payload = Buffer.from(JSON.stringify({ topic, field, reason, detail }))
    broker.publish({ topic: answer, payload, qos: 0, retain: false })
  }
}

/** Messages that name a device that is not their client's: nobody is to take them for its own. */
function notTheirs(
  telemetry: MessageBatch['telemetry'],
  rejected: MqttIngestOutcome['rejected'],
): Set<InboundMessage> | undefined {
  let found: Set<InboundMessage> | undefined
  for (const { reason, index } of rejected) {
    if (reason === 'forbidden') (found ??= new Set()).add(telemetry[index])
  }
  return found
}
