/** Messages since the door opened, by what became of them. */
export class MessageCounts {
  /** PUBLISH packets by QoS. */
  readonly received = [0, 0, 0]
  /** Telemetry messages that are durable. */
  stored = 0
  /** Telemetry messages that were refused for good: acknowledged, with points not kept. */
  refused = 0
  /** Messages tried again because the log did not take them; one may count often. */
  retried = 0
  /** Messages that nobody stored or delivered, never acknowledged: the client sends them again. */
  unacknowledged = 0
  /** Messages to topics that clients may not publish to. */
  forbidden = 0
  /** QoS 2 messages that came again before their release. */
  duplicate = 0
  /** Deliveries to subscribers, by QoS of the message. */
  delivered = [0, 0, 0]
  /** Deliveries dropped because the subscriber does not read, or its queue is full. */
  dropped = 0

  /** By kind, for `mqtt_messages_total`. */
  byKind(notRetained: number): Map<string, number> {
    return new Map([
      ...this.received.map((count, qos) => [`received_qos${qos}`, count] as const),
      ...this.delivered.map((count, qos) => [`delivered_qos${qos}`, count] as const),
      ['stored', this.stored],
      ['refused', this.refused],
      ['retried', this.retried],
      ['unacknowledged', this.unacknowledged],
      ['forbidden', this.forbidden],
      ['duplicate', this.duplicate],
      ['dropped', this.dropped],
      ['not_retained', notRetained],
    ])
  }
}
