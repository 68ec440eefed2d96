import type { DeviceView } from '../registry/device-list.ts'
import { notFound } from './problem.ts'
import type { HttpServices } from './services.ts'

/**
 * What `find` finds, if need be after this process has learned what others have done: a client that
 * has declared something at one process asks for it at the next.
 */
export async function foundOrRefreshed<T>(
  known: { refresh(): Promise<void> },
  find: () => T | undefined,
): Promise<T | undefined> {
  const found = find()
  if (found !== undefined) return found
  await known.refresh()
  return find()
}

/** @throws HttpProblem 404 */
export async function knownDevice(
  registry: HttpServices['registry'],
  tenant: string,
  id: string,
): Promise<DeviceView> {
  const device = await foundOrRefreshed(registry, () => registry.get(tenant, id))
  if (device === undefined) throw notFound(`there is no device ${JSON.stringify(id)}`)
  return device
}
