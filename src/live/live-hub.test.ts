import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../model/batch.ts'
import type { LogEntry } from '../ports/log.ts'
import { plainEventIds, sealedEventIds } from './event-id.ts'
import { LiveHub, type LiveSubscriber } from './live-hub.ts'

function entry(offset: number, device = 'pump', tenant = 't'): LogEntry {
  const batch: Batch = {
    tenant,
    devices: [device],
    metrics: ['flow'],
    seriesDevice: Uint32Array.of(0),
    seriesMetric: Uint32Array.of(0),
    seriesIndex: Uint32Array.of(0),
    timestamps: Float64Array.of(offset * 1e6),
    values: Float64Array.of(offset),
  }
  return { batch, frame: new Uint8Array(100), position: { partition: 0, offset } }
}

function subscriber(options: Partial<LiveSubscriber> = {}): LiveSubscriber & { got: string[] } {
  const got: string[] = []
  return {
    got,
    filter: { tenant: 't', wants: () => true },
    send: text => got.push(text) > 0,
    replay: text => got.push(text) > 0,
    onDropped: () => {},
    ...options,
  }
}

const hub = (replayBytes = 1000): LiveHub => new LiveHub({ replayBytes, maxSubscribers: 2 })

test('a subscriber gets new points as events with the log position as id', () => {
  const live = hub()
  const reader = subscriber()
  live.subscribe(reader)
  live.publish(entry(7))
  assert.deepEqual(reader.got, [
    'id: 0-7\nevent: points\ndata: {"points":[{"device_id":"pump","metric":"flow",' +
      '"timestamp":"1970-01-01T00:00:07.000Z","value":7}]}\n\n',
  ])
})

test('points of other tenants and points that the filter does not want are not sent', () => {
  const live = hub()
  const reader = subscriber({ filter: { tenant: 't', wants: device => device === 'pump' } })
  live.subscribe(reader)
  live.publish(entry(1, 'pump', 'other'))
  live.publish(entry(2, 'valve'))
  assert.deepEqual(reader.got, [])
})

test('who resumes gets what came after the last event id, in order', () => {
  const live = hub()
  for (let offset = 0; offset < 5; offset++) live.publish(entry(offset))
  const reader = subscriber()
  live.subscribe(reader, '0-2')
  assert.deepEqual(
    reader.got.map(text => text.split('\n')[0]),
    ['id: 0-3', 'id: 0-4'],
  )
})

test('an event of a device goes to those who want that device, of its tenant', () => {
  const live = new LiveHub({ replayBytes: 1000, maxSubscribers: 10 })
  const of = (tenant: string, wants: (device: string, metric?: string) => boolean) => {
    const reader = subscriber({ filter: { tenant, wants } })
    live.subscribe(reader)
    return reader
  }
  const pump = of('t', device => device === 'pump')
  const fan = of('t', device => device === 'fan')
  const speed = of('t', (_device, metric = 'speed') => metric === 'speed')
  const stranger = of('other', () => true)
  live.announce('status', 't', { device_id: 'pump' })
  const heard = [pump, fan, speed, stranger].map(({ got }) => got)
  const status = 'event: status\ndata: {"device_id":"pump"}\n\n'
  assert.deepEqual(heard, [[status], [], [status], []])
})

test('a gap is announced when what was missed is not kept any more', () => {
  const live = hub(200)
  for (let offset = 0; offset < 9; offset++) live.publish(entry(offset))
  const reader = subscriber()
  live.subscribe(reader, '0-2')
  assert.deepEqual(
    reader.got.map(text => text.split('\n')[0]),
    ['event: gap', 'id: 0-7', 'id: 0-8'],
  )
})

test('after a restart there is a gap only for who has missed something', () => {
  const begins = [{ partition: 0, offset: 3 }]
  const live = new LiveHub({ replayBytes: 1 << 20, maxSubscribers: 9, begins })
  const resume = (id: string): string[] => {
    const reader = subscriber()
    live.subscribe(reader, id)
    return reader.got.map(text => text.split('\n')[0])
  }
  assert.deepEqual([resume('0-2'), resume('0-1')], [[], ['event: gap']])
  assert.deepEqual(resume('1-0'), ['event: gap'], 'nothing is known of that partition')
  live.publish(entry(3))
  assert.deepEqual(resume('0-2'), ['id: 0-3'])
  assert.deepEqual(resume('0-1'), ['event: gap', 'id: 0-3'])
})

test('a subscriber that cannot keep up is dropped and the others go on', () => {
  const live = hub()
  let dropped = 0
  const slow = subscriber({ send: () => false, onDropped: () => dropped++ })
  const fast = subscriber()
  live.subscribe(slow)
  live.subscribe(fast)
  live.publish(entry(1))
  live.publish(entry(2))
  assert.equal(dropped, 1)
  assert.equal(fast.got.length, 2)
  assert.equal(live.subscriberCount, 1)
})

test('who has enough of what it missed stays, and is not sent the rest', () => {
  const live = hub()
  for (let offset = 0; offset < 6; offset++) live.publish(entry(offset))
  const reader = subscriber({ replay: text => reader.got.push(text) < 2 })
  live.subscribe(reader, '0-0')
  assert.deepEqual(
    reader.got.map(text => text.split('\n')[0]),
    ['id: 0-1', 'id: 0-2'],
  )
  assert.equal(live.subscriberCount, 1)
})

test('more subscribers than allowed are refused', () => {
  const live = hub()
  live.subscribe(subscriber())
  const end = live.subscribe(subscriber())
  assert.equal(live.subscribe(subscriber()), undefined)
  end?.()
  assert.ok(live.subscribe(subscriber()))
})

test('what others have sent is no gap, and in no id', () => {
  const ids = sealedEventIds(Buffer.alloc(32, 7))
  const live = new LiveHub({ replayBytes: 250, maxSubscribers: 3, ids })
  const mine = subscriber()
  live.subscribe(mine)
  live.publish(entry(0))
  const [, first = ''] = /^id: (\S+)/.exec(mine.got[0]) ?? []
  assert.match(first, /^[\w-]{38}$/)
  for (let offset = 1; offset < 9; offset++) live.publish(entry(offset, 'pump', 'other'))
  const back = subscriber()
  live.subscribe(back, first)
  assert.deepEqual(back.got, [])
  live.publish(entry(9))
  live.publish(entry(10, 'pump', 'other'))
  live.publish(entry(11, 'pump', 'other'))
  live.publish(entry(12, 'pump', 'other'))
  const late = subscriber()
  live.subscribe(late, first)
  assert.match(late.got[0], /^event: gap/)
})

test('a sealed id is opened by the node that made it, for its tenant only', () => {
  const ids = sealedEventIds(Buffer.alloc(32, 7))
  const places = new Map([
    [3, 2 ** 40 + 1],
    [5, -1],
  ])
  const id = ids.encode('a', places)
  assert.notEqual(id, ids.encode('b', places))
  const next = ids.encode('a', new Map([...places, [5, 0]]))
  // Nor is it seen which of its places has changed.
  for (let at = 0; at + 6 <= id.length; at += 6) {
    assert.notEqual(id.slice(at, at + 6), next.slice(at, at + 6))
  }
  assert.equal(id, ids.encode('a', places))
  assert.deepEqual(ids.decode('a', id), places)
  assert.deepEqual(sealedEventIds(Buffer.alloc(32, 7)).decode('a', id), places)
  assert.equal(ids.decode('b', id), undefined)
  assert.equal(sealedEventIds(Buffer.alloc(32, 8)).decode('a', id), undefined)
  for (const other of ['0-5', '', id.slice(1), id.slice(0, -1), `${id}0`, `${id}=`]) {
    assert.equal(ids.decode('a', other), undefined)
  }
})

const inPartition = (partition: number, offset: number): LogEntry => ({
  ...entry(offset),
  position: { partition, offset },
})

for (const ids of [plainEventIds, sealedEventIds(Buffer.alloc(32, 7))]) {
  const kind = ids === plainEventIds ? 'plain' : 'sealed'
  test(`who resumes misses nothing of several partitions, at any process (${kind} ids)`, () => {
    const begins = [0, 1].map(partition => ({ partition, offset: 0 }))
    // Two processes, which see the partitions in orders of their own.
    const [one, other] = [
      [inPartition(0, 0), inPartition(1, 0), inPartition(0, 1), inPartition(1, 1)],
      [inPartition(1, 0), inPartition(1, 1), inPartition(0, 0), inPartition(0, 1)],
    ].map(entries => {
      const live = new LiveHub({ replayBytes: 1000, maxSubscribers: 99, ids, begins })
      const reader = subscriber()
      live.subscribe(reader)
      for (const each of entries) live.publish(each)
      const shown = entries.map(({ position }) => `${position.partition}-${position.offset}`)
      return { live, shown, ids: reader.got.map(text => /^id: (\S+)/.exec(text)?.[1] ?? '') }
    })
    for (const from of [one, other]) {
      for (const to of [one, other]) {
        for (let seen = 1; seen <= 4; seen++) {
          const back = subscriber()
          to.live.subscribe(back, from.ids[seen - 1])
          const had = from.shown.slice(0, seen)
          const missed = to.shown.filter(place => !had.includes(place))
          assert.deepEqual(
            back.got.map(text => /^id: \S+\nevent: (\w+)/.exec(text)?.[1]),
            missed.map(() => 'points'),
          )
          // The last id is of all that there is.
          if (missed.length > 0) assert.ok(back.got.at(-1)?.startsWith(`id: ${one.ids[3]}\n`))
        }
      }
    }
  })
}

test('what is missing of any partition is a gap', () => {
  const begins = [
    { partition: 0, offset: 5 },
    { partition: 1, offset: 0 },
  ]
  const live = new LiveHub({ replayBytes: 250, maxSubscribers: 99, begins })
  const resume = (id: string): string[] => {
    const reader = subscriber()
    live.subscribe(reader, id)
    return reader.got.map(text => text.split('\n')[0])
  }
  live.publish(inPartition(0, 5))
  live.publish(inPartition(1, 0))
  assert.deepEqual(resume('0-4'), ['id: 0-5', 'id: 0-5.1-0'])
  assert.deepEqual(resume('0-3.1-0'), ['event: gap', 'id: 0-5.1-0'])
  assert.deepEqual(resume('1-0'), ['event: gap', 'id: 0-5.1-0'], 'of before partition 0 was read')
  assert.deepEqual(resume('0-5.7-1'), ['event: gap'], 'of another log')
  live.publish(inPartition(0, 6))
  assert.deepEqual(resume('0-4'), ['event: gap', 'id: 0-5.1-0', 'id: 0-6.1-0'])
})
