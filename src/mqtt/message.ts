import type { TelemetryMessage, TelemetryTarget } from './options.ts'
import type { TopicRoute } from './topic-routes.ts'

/** A PUBLISH on its way through the door; with a target it is telemetry. */
export interface InboundMessage {
  readonly route: TopicRoute
  readonly target: TelemetryTarget | undefined
  /** Its client may not publish there: acknowledged and dropped. */
  readonly isForbidden: boolean
  readonly payload: Buffer
  readonly arrivalUs: number
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  /** 0 with QoS 0. */
  readonly packetId: number
  /** A QoS 2 message that is stored already: only its acknowledgement is owed. */
  readonly isRepeated: boolean
  /** The user name of its connection. */
  readonly user: string | undefined
}

/** The messages of one socket read, which are stored and acknowledged together, in order. */
export interface MessageBatch {
  readonly messages: InboundMessage[]
  readonly telemetry: (InboundMessage & TelemetryMessage)[]
  /** Of the payloads. */
  bytes: number
  state: 'pending' | 'held' | 'done'
}

/** Rises by at least one microsecond from message to message, and follows the clock otherwise. */
export class ArrivalClock {
  #lastUs = 0

  nextUs(nowMs: number): number {
    this.#lastUs = Math.max(nowMs * 1000, this.#lastUs + 1)
    return this.#lastUs
  }
}
