import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { kafkaServer, ownKafka, type OwnServer } from '../../../test/fixtures/servers.ts'
import type { EncodedBatch } from '../../model/batch.ts'
import { encodeFrame } from '../../model/frame.ts'
import { WeirError } from '../../ports/errors.ts'
import type { LogEntry } from '../../ports/log.ts'
import { recorder, tagOf, taggedEntry, until } from '../log.contract.ts'
import type { Given } from './consumer-child.ts'
import { newAdmin } from './kafka-client.ts'
import { testOptions } from './kafka-log.fixture.ts'
import { KafkaLog } from './kafka-log.ts'

const { skip } = kafkaServer()
const DEVICES = Array.from({ length: 12 }, (_, i) => `device-${i}`)

/** One point of each device, with the same value. */
function roundOf(value: number): EncodedBatch {
  const places = Uint32Array.from(DEVICES, (_, place) => place)
  const batch = {
    ...{ tenant: 'default', devices: DEVICES, metrics: ['count'] },
    ...{ seriesDevice: places, seriesMetric: new Uint32Array(places.length), seriesIndex: places },
    timestamps: new Float64Array(places.length).fill(1.7e15 + value),
    values: new Float64Array(places.length).fill(value),
  }
  return { batch, frame: encodeFrame(batch) }
}

/** What a device has sent, in the order of the log, where it follows itself only once. */
function historyOf(device: string, entries: readonly LogEntry[]): number[] {
  const values: number[] = []
  for (const { batch } of entries) {
    const place = batch.devices.indexOf(device)
    for (let i = 0; place >= 0 && i < batch.values.length; i++) {
      const isOf = batch.seriesDevice[batch.seriesIndex[i]] === place
      if (isOf && values.at(-1) !== batch.values[i]) values.push(batch.values[i])
    }
  }
  return values
}

describe('the log on Kafka, when things go wrong', { skip, timeout: 300_000 }, () => {
  let broker: OwnServer
  const cleanups: (() => Promise<void> | void)[] = []
  const opened: KafkaLog[] = []

  before(async () => {
    broker = await ownKafka({ after: cleanup => void cleanups.push(cleanup) })
  })
  after(async () => {
    for (const log of opened) await log.close()
    for (const cleanup of cleanups.reverse()) await cleanup()
  })
  const open = async (options: ReturnType<typeof testOptions>): Promise<KafkaLog> => {
    const log = await KafkaLog.open(options)
    opened.push(log)
    return log
  }
  const quick = { requestTimeoutMs: 500, appendTimeoutMs: 1500 }

  /** Sends rounds as a client does: what is refused comes again. */
  async function send(log: KafkaLog, sent: { next: number; refused: number }, upTo: () => boolean) {
    while (!upTo()) {
      try {
        await log.append([roundOf(sent.next)])
        sent.next++
      } catch (error) {
        assert.ok(error instanceof WeirError && error.kind === 'retryable', String(error))
        sent.refused++
      }
    }
  }

  it('loses nothing acknowledged and keeps the order of devices when the broker is killed', async () => {
    const log = await open(testOptions(broker.address, quick))
    const watch = recorder()
    await log.subscribe({ group: 'watch', from: [], deliver: watch.deliver, members: 'everyone' })
    // The positions of a store, which has what it was given.
    const stored = new Map<number, number>()
    const share = recorder()
    await log.subscribe({
      ...{ group: 'writer', from: [] },
      onAssigned: () =>
        Promise.resolve(Array.from(stored, ([partition, offset]) => ({ partition, offset }))),
      deliver(entries) {
        share.deliver(entries)
        for (const { position } of entries) stored.set(position.partition, position.offset + 1)
      },
    })
    const sent = { next: 0, refused: 0 }
    await send(log, sent, () => sent.next >= 50)
    // In the middle of what comes: nobody waits for the appends under way.
    const sending = send(log, sent, () => sent.refused > 0 && sent.next > 100)
    await until(() => sent.next > 60)
    await broker.kill()
    await until(() => sent.refused > 0)
    await broker.start()
    await sending
    const all = Array.from({ length: sent.next }, (_, value) => value)
    for (const { entries } of [watch, share]) {
      for (const device of DEVICES) {
        await until(() => historyOf(device, entries).at(-1) === sent.next - 1)
        assert.deepEqual(historyOf(device, entries), all)
      }
    }
    await log.close()
  })

  it('refuses within its time while the broker does not answer, and goes on by itself', async () => {
    const log = await open(testOptions(broker.address, quick))
    const watch = recorder()
    await log.subscribe({ group: 'watch', from: [], deliver: watch.deliver, members: 'everyone' })
    const sent = { next: 0, refused: 0 }
    await send(log, sent, () => sent.next === 20)
    broker.pause()
    try {
      await send(log, sent, () => sent.refused === 3)
      assert.match(log.status().trouble ?? '', /timed out|failed|closed/)
    } finally {
      broker.resume()
    }
    const { next } = sent
    await send(log, sent, () => sent.next === next + 20)
    assert.equal(log.status().trouble, undefined)
    const all = Array.from({ length: sent.next }, (_, value) => value)
    // Appends that were refused may be in the log all the same, but never behind later ones.
    for (const device of DEVICES) {
      await until(() => historyOf(device, watch.entries).at(-1) === sent.next - 1)
      assert.deepEqual(historyOf(device, watch.entries), all)
    }
    await log.close()
  })

  it('takes no more points when brokers have lost what they acknowledged', async () => {
    const options = testOptions(broker.address, { partitions: 1 })
    const log = await open(options)
    for (let tag = 0; tag < 3; tag++) await log.append([taggedEntry(tag)])
    // As after an unclean election, without waiting for one.
    const admin = newAdmin(options.connection)
    await admin.deleteTopics({ topics: [options.topic] })
    await admin.createTopics({ topics: [options.topic], partitions: 1, replicas: -1 })
    await admin.close()
    const refusal = await log.append([taggedEntry(3)]).catch((error: unknown) => error)
    assert.ok(refusal instanceof WeirError, 'it was taken')
    assert.equal(refusal.kind, 'closed')
    assert.match(log.status().failure ?? '', /lost records: partition 0 had ended at offset 3/)
    await log.close()
  })

  it('gives what a killed member had not committed to the next one', async () => {
    const options = testOptions(broker.address, { sessionTimeoutMs: 3000 })
    const log = await open(options)
    const tags = Array.from({ length: 40 }, (_, tag) => tag)
    await log.append(tags.map(tag => taggedEntry(tag)))
    const child = fork(join(import.meta.dirname, 'consumer-child.ts'), [JSON.stringify(options)])
    const had: number[] = []
    child.on('message', given => void had.push(...(given as Given)))
    await until(() => new Set(had).size === tags.length)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { entries, deliver } = recorder()
    await log.subscribe({ group: 'writer', from: [], deliver })
    // All but the first five, whose commits it had waited for.
    const committed = new Set(had.slice(0, 5))
    await until(() => new Set(entries.map(tagOf)).size >= 35)
    assert.deepEqual(new Set(entries.map(tagOf)), new Set(tags.filter(tag => !committed.has(tag))))
    await log.close()
  })
})
