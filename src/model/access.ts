/** What a key allows: to send points, to read, to manage devices and keys. */
export type Scope = 'ingest' | 'read' | 'admin'

export const SCOPES: readonly Scope[] = ['ingest', 'read', 'admin']

/** How much a key may do; absent: the configuration's default, 0: unlimited. */
export interface KeyLimits {
  readonly requestsPerSecond?: number
  readonly pointsPerSecond?: number
}

/**
 * What a request or a connection may do. Whoever keeps one beyond a request (a connection, a
 * stream) looks at `endsAtMs` every second or so: a key that is revoked moves it to the past.
 */
export interface Access {
  readonly tenant: string
  readonly scopes: readonly Scope[]
  /** The only device that it may write and read; absent: all of the tenant. */
  readonly device: string | undefined
  /** Absent where no key is asked for. */
  readonly keyId: string | undefined
  /** Of the tenant that runs the node: with `admin` it may see what concerns all tenants. */
  readonly isOperator: boolean
  readonly limits: KeyLimits
  /** Milliseconds since 1970; Infinity: it has no end. */
  readonly endsAtMs: number
}

/** What anybody may do where no key is asked for. */
export function openAccess(tenant: string): Access {
  return {
    ...{ tenant, scopes: SCOPES, device: undefined, keyId: undefined, isOperator: true },
    ...{ limits: {}, endsAtMs: Infinity },
  }
}

/** Whether it may write and read that device. */
export function reaches({ device }: Access, id: string): boolean {
  return device === undefined || device === id
}
