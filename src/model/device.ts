/** Attributes of a device or product: free, flat or nested JSON. */
export type Attributes = Readonly<Record<string, unknown>>

/** What the registry keeps of a device. Times are milliseconds since 1970. */
export interface Device {
  readonly tenant: string
  /** The name that clients use, unique in the tenant. */
  readonly id: string
  /** Made of tenant and id, so that it is the same after a crash (`registry/device-uuid.ts`). */
  readonly uuid: string
  readonly name: string | undefined
  readonly type: string | undefined
  readonly product: string | undefined
  readonly site: string | undefined
  readonly attributes: Attributes
  /** How often it is expected to send; absent: the product's, else the configured default. */
  readonly expectedIntervalMs: number | undefined
  readonly createdAtMs: number
  /** Arrival of its newest message; absent until the first. */
  readonly lastSeenMs: number | undefined
}

/** `unknown`: registered, but nothing has arrived yet. */
export type DeviceStatus = 'online' | 'offline' | 'unknown'
