import type { TlsOptions } from 'node:tls'
import type { IsForeign } from '../kit/foreign-pages.ts'
import type { Access } from '../model/access.ts'
import type { Rejection } from '../model/rejection.ts'

/** What a telemetry topic says about its payload. */
export interface TelemetryTarget {
  /**
   * `record`: `{metric: value, …, timestamp?}`. `value`: one bare value, or one inside of JSON.
   * `sensor`: `{device_id, sensor_type, value, unit?, timestamp?}`. `thingsboard…`: what its devices
   * (told by the user name) and gateways send; attributes are no points.
   */
  readonly dialect:
    | 'record'
    | 'value'
    | 'sensor'
    | 'thingsboard'
    | 'thingsboard attributes'
    | 'thingsboard gateway'
    | 'thingsboard gateway attributes'
  /** Empty where the payload names it. */
  readonly deviceId: string
  /** The metric of a `value`; empty where the payload names its own. */
  readonly metric: string
  /** Where the value is in a JSON payload, as names joined by dots; undefined: the whole payload. */
  readonly jsonPath: string | undefined
  readonly site: string | undefined
}

export interface TelemetryMessage {
  readonly target: TelemetryTarget
  readonly payload: Buffer
  /**
   * Microseconds since 1970 at which the message first came, the time of points that bring none.
   * It rises from message to message, so that values that came within one millisecond are points
   * of their own, and stays the same when the client or Weir has to try again.
   */
  readonly arrivalUs: number
  /** The user name with which the client connected; a token to some conventions, so never logged. */
  readonly user: string | undefined
}

export interface MqttIngestOutcome {
  readonly accepted: number
  /** `index` is the place of the message in the batch. */
  readonly rejected: readonly Rejection[]
  /** How long the client is not to be read, because a device of it has sent too much. */
  readonly owedMs?: number
}

/** What is logged; pino's logger fits. */
export interface MqttLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface TopicTemplate {
  /** `plant/{site}/{device_id}/{metric}` */
  readonly template: string
  readonly path?: string
}

export interface MqttLimits {
  /** Connected clients, those included that have not said CONNECT yet; further ones are cut. */
  readonly maxConnections: number
  /** A client that announces a larger packet is cut. */
  readonly maxPacketBytes: number
  /** How long a client may take from connecting to a complete CONNECT. */
  readonly connectTimeoutMs: number
  /** Messages of one connection that wait for the log; its socket is not read beyond it. */
  readonly maxInFlightMessages: number
  /** How long messages that the log refuses are held and tried again before the client is cut. */
  readonly maxHoldMs: number
  /** Bytes that wait for a subscriber that does not read; QoS 0 is dropped at half of it. */
  readonly maxSubscriberBytes: number
  /** Clients whose subscriptions are kept while they are away. */
  readonly maxSessions: number
  /** Messages kept for one client that is away or does not acknowledge. */
  readonly maxQueuedMessages: number
  /** Bytes of all those messages. */
  readonly maxQueuedBytes: number
  /** Bytes of all retained messages; beyond it a message is delivered but not retained. */
  readonly maxRetainedBytes: number
}

export const defaultLimits: MqttLimits = {
  maxConnections: 10_000,
  maxPacketBytes: 1024 * 1024,
  connectTimeoutMs: 10_000,
  maxInFlightMessages: 2048,
  maxHoldMs: 30_000,
  maxSubscriberBytes: 4 * 1024 * 1024,
  maxSessions: 10_000,
  maxQueuedMessages: 1000,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxRetainedBytes: 64 * 1024 * 1024,
}

/** Who may come in. */
export interface MqttAccess {
  /** What everybody may do; undefined: a key is asked for, as user name or password. */
  readonly open: Access | undefined
  /** Whether the page of another site asks for a WebSocket, and may not; absent: nobody looks. */
  readonly isForeign?: IsForeign | undefined
  /** What a key allows; undefined for anything that is no key that works now. */
  readonly verify: (key: string) => Access | undefined
  readonly limits: {
    /** Whether the key has any limit. */
    limits(access: Access): boolean
    /** Notes messages that came; the points of telemetry are noted where it is taken in. */
    takeMessages(access: Access, messages: number): void
    /** How long to read nothing more from the client; 0: go on. */
    pauseMs(access: Access): number
  }
}

export interface MqttOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Whether it listens there; absent: yes. */
  readonly plain?: boolean
  /** A listener with TLS besides. */
  readonly tls?: { readonly host: string; readonly port: number; readonly options: TlsOptions }
  readonly topics: readonly TopicTemplate[]
  readonly limits?: Partial<MqttLimits>
  readonly log: MqttLogger
  readonly access: MqttAccess
  /**
   * Makes the telemetry messages of one socket read durable; called by the door with up to some
   * hundreds of messages, in the order in which the client sent them. Bad payloads are `rejected`
   * in what it resolves with, never an exception. It rejects with a `WeirError` when nothing of
   * the batch was stored (`outcome.ts` says what the client sees of it), and is then called again
   * with the same batch, or never.
   */
  readonly ingest: MqttIngest
}

/** `sender`: whose points they are, and of which device they may be. */
export type MqttIngest = (
  sender: Access,
  messages: readonly TelemetryMessage[],
) => Promise<MqttIngestOutcome>
