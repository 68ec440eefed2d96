import type { KafkaLogOptions } from './kafka-log.ts'
import { tagOf } from '../log.contract.ts'
import { KafkaLog } from './kafka-log.ts'

// A process that has a member of the group `writer`, for the tests that kill it: it tells its parent what
// it is given, and commits the first entries of it; its options come in argv[2].
const COMMITTED = 5
/** The tags of the entries of one delivery. */
export type Given = number[]

const log = await KafkaLog.open(JSON.parse(process.argv[2]) as KafkaLogOptions)
let given = 0
await log.subscribe({
  group: 'writer',
  from: [],
  async deliver(entries) {
    for (const { position } of entries) {
      const { partition, offset } = position
      if (given++ < COMMITTED) await log.commit('writer', [{ partition, offset: offset + 1 }])
    }
    process.send?.(entries.map(tagOf) satisfies Given)
  },
})
