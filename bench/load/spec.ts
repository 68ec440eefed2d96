import {
  columnarBatches,
  frames,
  jsonBatches,
  lineBatches,
  singleMessages,
  type DeviceShare,
} from './ingest-requests.ts'
import { mixtureFrames } from './mixture.ts'
import { bucketReads, fleetReads, latestReads, rawReads, type ReadRange } from './read-requests.ts'
import type { RequestSource } from './request.ts'

/** What the requests of a load are; it crosses a process border, so it is plain data. */
export type Payload =
  | {
      readonly kind: 'json'
      readonly devices: number
      readonly messages: number
      readonly startMs: number
    }
  | {
      readonly kind: 'lines'
      readonly devices: number
      readonly lines: number
      readonly startMs: number
    }
  | {
      readonly kind: 'columnar'
      readonly devices: number
      readonly rows: number
      readonly startMs: number
    }
  | {
      readonly kind: 'frames'
      readonly devices: number
      readonly group: number
      readonly rows: number
      readonly startMs: number
    }
  | {
      readonly kind: 'mixture'
      readonly devices: number
      readonly group: number
      readonly rows: number
      readonly startMs: number
      readonly intervalMs: number
      readonly readings: number
    }
  | { readonly kind: 'single' | 'latest'; readonly devices: number }
  | ({ readonly kind: 'raw' | 'buckets' | 'fleet' } & ReadRange)

interface LoadTimes {
  /** For a server that asks for one. */
  readonly key?: string
  readonly warmupMs: number
  readonly windowMs: number
  /** 0: until there is nothing more to send. */
  readonly windows: number
}

export interface HttpLoadSpec extends LoadTimes {
  readonly protocol: 'http'
  readonly port: number
  readonly connections: number
  readonly requestsPerSecond?: number
  readonly payload: Payload
}

export interface MqttLoadSpec extends LoadTimes {
  readonly protocol: 'mqtt'
  readonly port: number
  readonly connections: number
  readonly inFlight: number
  readonly devices: number
  readonly startMs: number
}

export type LoadSpec = HttpLoadSpec | MqttLoadSpec

/** The requests of one of `connections`; each writes for devices of its own. */
export function requestSource(
  payload: Payload,
  connection: number,
  connections: number,
): RequestSource {
  const devices = payload.devices / connections
  const share: DeviceShare = {
    firstDevice: connection * Math.floor(devices),
    devices: Math.max(1, Math.floor(devices)),
    startMs: 'startMs' in payload ? payload.startMs : 0,
  }
  switch (payload.kind) {
    case 'json':
      return jsonBatches(share, payload.messages)
    case 'lines':
      return lineBatches(share, payload.lines)
    case 'columnar':
      return columnarBatches(share, payload.rows)
    case 'frames':
      return frames(share, payload)
    case 'mixture':
      return mixtureFrames({ ...payload, ...share })
    case 'single':
      return singleMessages(share)
    case 'latest':
      return latestReads(connection, payload.devices)
    case 'raw':
      return rawReads(connection, payload)
    case 'buckets':
      return bucketReads(connection, payload)
    case 'fleet':
      return fleetReads(connection, payload)
  }
}
