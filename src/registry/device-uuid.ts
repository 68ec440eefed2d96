import { createHash } from 'node:crypto'

/** Names this use of name-based UUIDs; drawn once. */
const NAMESPACE = Buffer.from('3b6f2f0e6f5c4c0e9a53c7b4a1d2e8f7', 'hex')

/**
 * The uuid of a device, made of its tenant and id (RFC 9562, version 5). A device is registered in
 * memory and written to the catalog a little later: one that a crash takes from the catalog, and
 * that comes back with its next message, must not come back as another.
 */
export function deviceUuid(tenant: string, id: string): string {
  const name = `${tenant}\0${id}`
  const bytes = createHash('sha1').update(NAMESPACE).update(name).digest().subarray(0, 16)
  bytes[6] = (bytes[6] & 0x0f) | 0x50
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  const part = (from: number, to: number): string => hex.slice(from, to)
  return `${part(0, 8)}-${part(8, 12)}-${part(12, 16)}-${part(16, 20)}-${part(20, 32)}`
}
