import type { WeirError } from '../../ports/errors.ts'
import { taggedEntry } from '../log.contract.ts'
import { EmbeddedLog } from './embedded-log.ts'

/**
 * A process that has the log of the fault tests, driven by messages that it answers with
 * their id: the folder in argv[2]. `append` answers with the outcome; `flood` appends for ever and reports each acknowledgement.
 */
export type ChildRequest =
  | { do: 'append'; tag: number; points: number }
  | { do: 'flood'; points: number }
  | { do: 'commit'; offset: number }
  | { do: 'status' }
  | { do: 'close' }

const log = await EmbeddedLog.open({ directory: process.argv[2], segmentBytes: 256 << 10 })
const delivered: number[] = []
await log.subscribe({
  group: 'child',
  from: [],
  deliver: entries => void delivered.push(...entries.map(entry => entry.position.offset)),
})

function outcome(error: unknown): object {
  const { kind, code, message } = error as WeirError
  return { kind, code, message }
}

async function answer(request: ChildRequest): Promise<object> {
  switch (request.do) {
    case 'append':
      await log.append([taggedEntry(request.tag, request.points)])
      return { acknowledged: request.tag }
    case 'flood':
      for (let tag = log.status().partitions[0].next; ; tag++) {
        await log.append([taggedEntry(tag, request.points)])
        process.send?.({ acknowledged: tag })
      }
    case 'commit':
      await log.commit('child', [{ partition: 0, offset: request.offset }])
      return {}
    case 'status':
      return { status: log.status(), delivered }
    case 'close':
      await log.close()
      setImmediate(() => process.disconnect())
      return {}
  }
}

process.on('message', ({ id, request }: { id: number; request: ChildRequest }) => {
  answer(request).then(
    reply => process.send?.({ id, ...reply }),
    (error: unknown) => process.send?.({ id, ...outcome(error) }),
  )
})
process.on('unhandledRejection', error => {
  process.send?.({ unhandled: String(error) })
  process.exitCode = 1
})
process.send?.({ id: 0 })
