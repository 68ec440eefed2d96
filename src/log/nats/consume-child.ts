import { tagOf } from '../log.contract.ts'
import { NatsLog, type NatsLogOptions } from './nats-log.ts'

/** What the process is given as JSON, its only argument. */
export interface ConsumeRequest {
  readonly options: NatsLogOptions
  readonly group: string
  /** Whether it commits what it was given. */
  readonly commits: boolean
}

// A process that subscribes as a group and prints the tag of every entry it is given, one a line,
// until somebody kills it.
const { options, group, commits } = JSON.parse(process.argv[2]) as ConsumeRequest
const log = await NatsLog.open(options)
await log.subscribe({
  ...{ group, from: [] },
  deliver: async entries => {
    for (const entry of entries) {
      process.stdout.write(`${tagOf(entry)}\n`)
      const { partition, offset } = entry.position
      if (commits) await log.commit(group, [{ partition, offset: offset + 1 }])
    }
  },
})
process.stdout.write('subscribed\n')
setInterval(() => {}, 60_000)
