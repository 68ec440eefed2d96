import { randomUUID } from 'node:crypto'
import { describe } from 'node:test'
import { natsServer } from '../../../test/fixtures/servers.ts'
import { logContract } from '../log.contract.ts'
import { sharedLogContract, type SharedLogHarness } from '../shared-log.contract.ts'
import { connectNats } from './link.ts'
import { Names } from './names.ts'
import { natsOptions, removeStreams } from './nats.fixture.ts'
import { NatsLog } from './nats-log.ts'

const { address, skip } = natsServer()

function harness(partitions: number): SharedLogHarness {
  const prefix = `weir-test.${randomUUID()}`
  const options = natsOptions(address, { prefix, partitions })
  return {
    partitions,
    open: () => NatsLog.open(options),
    async inject(partition, bytes) {
      const connection = await connectNats(options)
      await connection.request(new Names(prefix).entries(partition).subject, bytes)
      await connection.close()
    },
    remove: () => removeStreams(address, prefix),
  }
}

describe('the log on NATS', { skip }, () => {
  logContract('NATS, one partition', () => Promise.resolve(harness(1)))
  logContract('NATS, three partitions', () => Promise.resolve(harness(3)))
  sharedLogContract('NATS', () => Promise.resolve(harness(3)))
})
