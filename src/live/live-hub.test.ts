import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../model/batch.ts'
import type { LogEntry } from '../ports/log.ts'
import { sealedEventIds } from './event-id.ts'
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
  assert.match(first, /^[\da-f]{32}$/)
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
  const position = { partition: 3, offset: 2 ** 40 + 1 }
  const id = ids.encode('a', position)
  assert.notEqual(id, ids.encode('b', position))
  assert.notEqual(id, ids.encode('a', { ...position, offset: position.offset + 1 }))
  assert.equal(id, ids.encode('a', position))
  assert.deepEqual(ids.decode('a', id), position)
  assert.deepEqual(sealedEventIds(Buffer.alloc(32, 7)).decode('a', id), position)
  assert.equal(ids.decode('b', id), undefined)
  assert.equal(sealedEventIds(Buffer.alloc(32, 8)).decode('a', id), undefined)
  for (const other of ['0-5', '', id.slice(1), `${id}0`]) {
    assert.equal(ids.decode('a', other), undefined)
  }
})
