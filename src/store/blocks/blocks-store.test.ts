import { storeContract } from '../store.contract.ts'
import { BlocksStore } from './blocks-store.ts'

storeContract('the embedded store', directory => BlocksStore.open({ directory }))
storeContract('the embedded store with a tiny head and tiny blocks', directory =>
  BlocksStore.open({ directory, headBytes: 4096, blockPoints: 16, partitionMs: 43_200_000 }),
)
