import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import { WeirError } from '../ports/errors.ts'
import type { DamagedBlockAside } from '../store/blocks/set-aside.ts'

export type { DamagedBlockAside } from '../store/blocks/set-aside.ts'

/**
 * What the store of the configuration has set aside, without a node or beside one.
 *
 * @throws WeirError `config` when the store keeps no blocks.
 */
export async function* damagedBlocks({
  data,
  store,
}: Config): AsyncGenerator<DamagedBlockAside, void, void> {
  if (store.engine !== 'blocks') {
    throw new WeirError('config', `store.engine ${store.engine} keeps no blocks`)
  }
  const { blocksSetAside } = await import('../store/blocks/set-aside.ts')
  yield* blocksSetAside(join(data, 'store'))
}
