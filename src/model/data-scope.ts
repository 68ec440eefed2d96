/**
 * What an answer is made of, as the caches name it: the points of a device, or those of a whole
 * tenant. A write touches the scopes of its devices and of its tenant.
 */
export const deviceScope = (tenant: string, device: string): string =>
  // The length keeps the names apart, whatever they hold.
  `d:${tenant.length}:${tenant}/${device}`

export const tenantScope = (tenant: string): string => `t:${tenant}`

/** Devices of which an answer names each; one of more is forgotten with any write to the tenant. */
const MAX_DEVICES = 16

/** The scopes of an answer that is made of these devices' points. */
export function scopesOf(tenant: string, devices: readonly string[]): readonly string[] {
  if (devices.length === 0 || devices.length > MAX_DEVICES) return [tenantScope(tenant)]
  return devices.map(device => deviceScope(tenant, device))
}
