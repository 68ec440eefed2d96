import { nameUuid } from '../kit/name-uuid.ts'

/** Names this use of name-based UUIDs; drawn once. */
const NAMESPACE = Buffer.from('3b6f2f0e6f5c4c0e9a53c7b4a1d2e8f7', 'hex')

/**
 * The uuid of a device, made of its tenant and id (RFC 9562, version 5). A device is registered in
 * memory and written to the catalog a little later: one that a crash takes from the catalog, and
 * that comes back with its next message, must not come back as another.
 */
export function deviceUuid(tenant: string, id: string): string {
  return nameUuid(NAMESPACE, `${tenant}\0${id}`)
}
