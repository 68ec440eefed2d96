/** The bounds of the ingest path; each is configuration (`ingest.*`) and named when it is hit. */
export interface IngestLimits {
  readonly maxPointsPerRequest: number
  readonly maxDepth: number
  readonly maxTextBytes: number
  /** Points further ahead of the clock are refused, so that one bad clock cannot hide `latest`. */
  readonly maxFutureMs: number
  readonly maxSeries: number
  /** Of each tenant; 0 or absent: no bound of its own. */
  readonly maxTenantSeries?: number
  /** Bytes admitted that wait for the log; beyond it requests are answered "overloaded". */
  readonly maxPendingBytes: number
}

/** Who may send: the registry's answer, asked once per message. */
export interface DevicePolicy {
  /** A device seen before: may it send now? */
  admits(device: { readonly id: number; readonly tenant: string; readonly name: string }): boolean
  /** A name never seen by this process: may it become a device? */
  admitsNew(tenant: string, name: string): boolean
}
