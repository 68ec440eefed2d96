export type MessageData = Record<string, number | boolean>

/** One reading of one device, on its way to the platform. */
export interface Message {
  readonly deviceId: string
  /** As it is sent: milliseconds since 1970, or ISO 8601. */
  readonly timestamp: number | string
  readonly data: MessageData
  /** When to send it, in milliseconds since the run began. */
  readonly dueMs: number
}

export function messagePoints(message: Message): number {
  let points = 0
  for (const _ in message.data) points++
  return points
}

/** An item of the array that `POST /api/v1/telemetry` takes. */
export function httpItem(message: Message): string {
  const device = JSON.stringify(message.deviceId)
  const timestamp = JSON.stringify(message.timestamp)
  return `{"device_id":${device},"timestamp":${timestamp},"data":${JSON.stringify(message.data)}}`
}

/** The payload for the topic `devices/{device_id}/telemetry`: the metrics with the time among them. */
export function mqttPayload(message: Message): string {
  const data = JSON.stringify(message.data)
  const comma = data.length > 2 ? ',' : ''
  return `${data.slice(0, -1)}${comma}"timestamp":${JSON.stringify(message.timestamp)}}`
}
