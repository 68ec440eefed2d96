import type { MqttIngestOutcome, MqttLogger, TelemetryMessage, TopicTemplate } from '../options.ts'

/** Where the broker is and how it is reached; a broker on the same machine needs the url only. */
export interface BrokerAddress {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`, without credentials. */
  readonly url: string
  readonly tls: BrokerTls
}

/** Paths are read again for every connection, so that renewed certificates need no restart. */
export interface BrokerTls {
  /** PEM; absent: the authorities that Node trusts. */
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
  /** The name in the broker's certificate, where it is not the host of the url. */
  readonly serverName?: string
  /** The protocol to negotiate, such as AWS IoT Core's `x-amzn-mqtt-ca` on port 443. */
  readonly alpn?: string
  readonly rejectUnauthorized: boolean
}

export interface BrokerLogin {
  readonly username?: string
  /** At most one of these. */
  readonly password?: string
  readonly passwordFile?: string
  /** The name of an environment variable. */
  readonly passwordEnv?: string
}

export interface BridgeOptions extends BrokerAddress, BrokerLogin {
  readonly name: string
  readonly version: 'v5' | 'v3.1.1'
  /** The broker keeps the session under it: always the same, and nobody else's. */
  readonly clientId: string
  /** MQTT filters; those of `templates` included. */
  readonly filters: readonly string[]
  readonly templates: readonly TopicTemplate[]
  /** The group of the shared subscription; absent: a subscription of its own. */
  readonly share?: string
  readonly qos: 0 | 1
  /** Whether messages that the broker has retained are points too. */
  readonly retained: boolean
  /** MQTT 5: how long the broker is to keep the session of a bridge that is away. */
  readonly sessionExpiryMs: number
  readonly keepAliveMs: number
  /** Messages that may wait for the log; the broker gets to know it (Receive Maximum) with MQTT 5. */
  readonly maxInFlightMessages: number
  /** A larger message is refused. */
  readonly maxPacketBytes: number
  /** Where it notes what it is subscribed to. */
  readonly stateFile: string
  readonly log: MqttLogger
  /** As of the embedded broker's door (`MqttOptions.ingest`). */
  readonly ingest: (messages: readonly TelemetryMessage[]) => Promise<MqttIngestOutcome>
  /** Waits between tries to connect; tests make them short. */
  readonly backoff?: { readonly firstMs: number; readonly lastMs: number }
}

export interface BridgeStats {
  readonly name: string
  /** Connected and subscribed. */
  readonly isConnected: boolean
  /** Filters that the broker refused. */
  readonly refusedFilters: number
  /** Since the start, by what became of them; see `BridgeCounts`. */
  readonly messages: ReadonlyMap<string, number>
  readonly inFlight: number
  /** Connections after the first. */
  readonly reconnects: number
}
