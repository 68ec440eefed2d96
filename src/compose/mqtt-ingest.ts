import { decodeBareValue, decodeTopicTelemetry } from '../ingest/dialects/fleet.ts'
import { decodeSensorRecord, type SensorRecord } from '../ingest/dialects/sensor-record.ts'
import { decodeThingsboard } from '../ingest/dialects/thingsboard.ts'
import type { Access } from '../model/access.ts'
import type { IngestGate } from '../ingest/gate.ts'
import type { Door } from '../ingest/ledger.ts'
import type { PointSink } from '../ingest/point-sink.ts'
import type { MqttOptions, TelemetryMessage } from '../mqtt/options.ts'
import type { Units } from '../registry/units.ts'
import {
  keepAttributes,
  noDevice,
  ownDevice,
  type KeepAttributes,
} from './thingsboard-attributes.ts'

export interface MqttIngestOptions {
  readonly setAttributes: KeepAttributes
  readonly gate: IngestGate
  /** Under which the points are counted; `mqtt` is the embedded broker. */
  readonly door?: Door
  /** A topic told the site of a device whose points are durable; called for each such message. */
  readonly onSite: (tenant: string, deviceId: string, site: string) => void
  /** Told the units of records whose points are durable. */
  readonly units: Pick<Units, 'tell'>
}

/** Brings the telemetry messages of a broker to the gate, all of one socket read at once. */
export function mqttIngest(options: MqttIngestOptions): MqttOptions['ingest'] {
  const { gate, door = 'mqtt', onSite, units } = options
  return async (sender, messages) => {
    const { tenant } = sender
    const records: SensorRecord[] = []
    const keep = (record: SensorRecord): void => void records.push(record)
    const outcome = await gate.ingest(sender, door, sink => {
      decodeMessages(messages, sink, { sender, keep })
    })
    for (const { deviceId: device, metric, unit } of records) {
      if (unit !== undefined) units.tell({ tenant, device, metric, unit })
    }
    for (const { target } of messages) {
      if (target.site !== undefined) onSite(tenant, target.deviceId, target.site)
    }
    const refused = await keepAttributes(messages, { sender, setAttributes: options.setAttributes })
    if (refused.length === 0) return outcome
    const rejected = [...outcome.rejected, ...refused].sort((a, b) => a.index - b.index)
    return { ...outcome, rejected }
  }
}

interface Decoding {
  readonly sender: Access
  /** Takes a record that says its unit. */
  readonly keep: (record: SensorRecord) => void
}

function decodeMessages(
  messages: readonly TelemetryMessage[],
  sink: PointSink,
  decoding: Decoding,
): void {
  for (let i = 0; i < messages.length; i++) {
    sink.item(i)
    sink.arrivalUs = messages[i].arrivalUs
    try {
      decodeMessage(messages[i], sink, decoding)
    } catch (error) {
      // One message that is no JSON must not take the others of the read with it.
      if (!(error instanceof SyntaxError)) throw error
      sink.restart()
      sink.reject('', error.message, 'malformed')
    }
  }
}

function decodeMessage(
  { target, payload, user }: TelemetryMessage,
  sink: PointSink,
  { sender, keep }: Decoding,
): void {
  const { dialect, deviceId, metric, jsonPath } = target
  switch (dialect) {
    case 'record':
      return decodeTopicTelemetry(payload, deviceId, sink)
    case 'sensor': {
      const record = decodeSensorRecord(payload, sink)
      return record?.unit === undefined ? undefined : keep(record)
    }
    case 'value': {
      const place = { deviceId, metric }
      return decodeBareValue(payload, jsonPath === undefined ? place : { ...place, jsonPath }, sink)
    }
    case 'thingsboard gateway':
      return decodeThingsboard(payload, { deviceId: undefined, countsItems: false }, sink)
    case 'thingsboard': {
      const deviceId = ownDevice(sender, user)
      if (deviceId === undefined) return sink.reject('', noDevice(sender), 'unknown_device')
      return decodeThingsboard(payload, { deviceId, countsItems: false }, sink)
    }
    default:
    // Attributes are no points.
  }
}
