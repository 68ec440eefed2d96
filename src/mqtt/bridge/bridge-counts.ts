/** Messages of one bridge since it was opened, by what became of them. */
export class BridgeCounts {
  /** PUBLISH packets, those that came again included. */
  received = 0
  /** Durable. */
  stored = 0
  /** Acknowledged, with points not kept: no repetition can make them good. */
  refused = 0
  /** Acknowledged; their topic says nothing of a device. */
  ignored = 0
  /** Acknowledged; old messages that the broker sends with a new subscription. */
  retained = 0
  /** Messages tried again because the log did not take them; one may count often. */
  retried = 0
  /** Not acknowledged when a connection ended: the broker sends them again. */
  unacknowledged = 0

  byKind(): Map<string, number> {
    return new Map(Object.entries(this) as [string, number][])
  }
}
