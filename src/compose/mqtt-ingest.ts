import { decodeBareValue, decodeTopicTelemetry } from '../ingest/dialects/fleet.ts'
import { decodeSensorRecord } from '../ingest/dialects/sensor-record.ts'
import type { IngestGate } from '../ingest/gate.ts'
import type { Door } from '../ingest/ledger.ts'
import type { PointSink } from '../ingest/point-sink.ts'
import type { MqttOptions, TelemetryMessage, TelemetryTarget } from '../mqtt/options.ts'

export interface MqttIngestOptions {
  readonly gate: IngestGate
  readonly tenant: string
  /** Under which the points are counted; `mqtt` is the embedded broker. */
  readonly door?: Door
  /** A topic told the site of a device whose points are durable; called for each such message. */
  readonly onSite: (deviceId: string, site: string) => void
}

/** Brings the telemetry messages of a broker to the gate, all of one socket read at once. */
export function mqttIngest(options: MqttIngestOptions): MqttOptions['ingest'] {
  const { gate, tenant, door = 'mqtt', onSite } = options
  return async messages => {
    const outcome = await gate.ingest(tenant, door, sink => decodeMessages(messages, sink))
    for (const { target } of messages) {
      if (target.site !== undefined) onSite(target.deviceId, target.site)
    }
    return outcome
  }
}

function decodeMessages(messages: readonly TelemetryMessage[], sink: PointSink): void {
  for (let i = 0; i < messages.length; i++) {
    const { target, payload, arrivalUs } = messages[i]
    sink.item(i)
    sink.arrivalUs = arrivalUs
    try {
      decodeMessage(target, payload, sink)
    } catch (error) {
      // One message that is no JSON must not take the others of the read with it.
      if (!(error instanceof SyntaxError)) throw error
      sink.restart()
      sink.reject('', error.message, 'malformed')
    }
  }
}

function decodeMessage(target: TelemetryTarget, payload: Buffer, sink: PointSink): void {
  if (target.dialect === 'record') decodeTopicTelemetry(payload, target.deviceId, sink)
  else if (target.dialect === 'sensor') decodeSensorRecord(payload, sink)
  else decodeBareValue(payload, bareValue(target), sink)
}

function bareValue({ deviceId, metric, jsonPath }: TelemetryTarget) {
  return jsonPath === undefined ? { deviceId, metric } : { deviceId, metric, jsonPath }
}
