import type { Attributes } from '../model/device.ts'
import { WeirError } from '../ports/errors.ts'
import type { Registry } from '../registry/registry.ts'

/**
 * Merges what devices say of themselves into the registry, and registers those that say it before
 * their first point, where devices may register themselves. Resolves when the catalog has it.
 *
 * Rejects with `WeirError` `not_found`, and as the registry does.
 */
export function attributeKeeper(registry: Registry) {
  return async (tenant: string, device: string, attributes: Attributes): Promise<void> => {
    if (registry.get(tenant, device) === undefined) {
      if (!registry.admitsNew(tenant, device)) {
        throw new WeirError('not_found', 'the device is not registered')
      }
      try {
        await registry.create(tenant, { id: device, attributes })
        return
      } catch (error) {
        // It sent its first point meanwhile.
        if (!(error instanceof WeirError) || error.kind !== 'conflict') throw error
      }
    }
    await registry.update(tenant, device, { attributes })
  }
}
