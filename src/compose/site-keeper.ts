import type { Logger } from '../observe/logger.ts'
import type { Registry } from '../registry/registry.ts'

/**
 * Notes in the registry the site that a device's topic names, once a device; what people declare
 * is left alone.
 */
export function siteKeeper(
  registry: Registry,
  logger: Logger,
): (tenant: string, deviceId: string, site: string) => void {
  const known = new Set<string>()
  return (tenant, deviceId, site) => {
    // No name has a NUL.
    const name = `${tenant}\0${deviceId}`
    if (known.has(name)) return
    const device = registry.get(tenant, deviceId)
    if (device === undefined) return
    known.add(name)
    if (device.site !== undefined) return
    registry.update(tenant, deviceId, { site }).catch((error: unknown) => {
      known.delete(name)
      logger.warn({ err: error, device: deviceId }, 'the site of a device was not kept')
    })
  }
}
