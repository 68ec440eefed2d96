import type { TestContext } from 'node:test'
import { Consumer } from '@platformatic/kafka'

/** What one fetch asks for, by the library's own options. */
export type Asked = Parameters<Consumer['fetch']>[0]

/** What a broker is to say of a partition that is fetched. */
export interface Told {
  readonly errorCode?: number
  /** The values of records from the offset asked for on. */
  readonly values?: readonly Buffer[]
}

export interface ScriptedBroker {
  /** The leaders of the partitions, by their numbers. */
  readonly leaders: () => readonly number[]
  readonly fetch: (node: number, partition: number, offset: number) => Told
  /** What each member that joins is given. */
  readonly assigned?: readonly number[]
}

/**
 * Lets every consumer of the library believe that it talks to such brokers, until the test ends.
 * Returns what is committed, in turn: offset by partition.
 */
export function scriptConsumers(t: TestContext, broker: ScriptedBroker): Map<number, number>[] {
  const { leaders, fetch, assigned = [] } = broker
  const methods = Consumer.prototype
  t.mock.method(methods, 'metadata', () => {
    const partitions = leaders().map(leader => ({ leader }))
    return Promise.resolve({ topics: new Map([['topic', { id: 'id', partitions }]]) })
  })
  t.mock.method(methods, 'close', () => Promise.resolve())
  t.mock.method(methods, 'joinGroup', function (this: Consumer) {
    const join = { generationId: 1, assignments: [{ topic: 'topic', partitions: assigned }] }
    this.emit('consumer:group:join', { ...join, groupId: 'group', memberId: 'member' } as never)
    return Promise.resolve('member')
  })
  const commits: Map<number, number>[] = []
  t.mock.method(methods, 'commit', ({ offsets }: Parameters<Consumer['commit']>[0]) => {
    commits.push(new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)])))
    return Promise.resolve()
  })
  t.mock.method(methods, 'fetch', async ({ node, topics }: Asked) => {
    await new Promise(resolve => setTimeout(resolve, 1))
    const partitions = topics[0].partitions.map(({ partition, fetchOffset }) => {
      const { errorCode = 0, values = [] } = fetch(node, partition, Number(fetchOffset))
      const records = values.map((value, i) => ({ value, offsetDelta: i, timestampDelta: 0n }))
      const batch = { attributes: 0, firstOffset: fetchOffset, firstTimestamp: 0n, records }
      return {
        ...{ partitionIndex: partition, errorCode },
        records: values.length === 0 ? null : [{ ...batch, lastOffsetDelta: values.length - 1 }],
        ...{ logStartOffset: 0n, highWatermark: fetchOffset + BigInt(values.length) },
      }
    })
    const response = { responses: [{ partitions }] }
    if (partitions.every(({ errorCode }) => errorCode === 0)) return response
    throw Object.assign(new Error('some could not be read'), { response })
  })
  return commits
}
