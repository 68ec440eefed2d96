import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Batch, EncodedBatch } from '../model/batch.ts'
import { partitionOf } from '../model/batch-split.ts'
import { encodeFrame } from '../model/frame.ts'
import type { DeadLetter } from '../ports/dead-letters.ts'
import type { Log, LogEntry, LogPosition, Subscription } from '../ports/log.ts'
import { recorder, taggedEntry, tagOf, until, type LogHarness } from './log.contract.ts'

export interface SharedLogHarness extends LogHarness {
  /** How many partitions the log has; several. */
  readonly partitions: number
  /** Puts bytes into a partition of the log that no log of ours would. */
  inject(partition: number, bytes: Uint8Array): Promise<void>
}

/** A batch of one point for each of these devices, of one time and value. */
function batchOf(devices: readonly string[], value: number): EncodedBatch {
  const places = Uint32Array.from(devices, (_, place) => place)
  const batch: Batch = {
    ...{ tenant: 'default', devices, metrics: ['temperature'] },
    seriesDevice: places,
    seriesMetric: new Uint32Array(devices.length),
    seriesIndex: places,
    timestamps: new Float64Array(devices.length).fill(1.7e15 + value),
    values: new Float64Array(devices.length).fill(value),
  }
  return { batch, frame: encodeFrame(batch) }
}

/** The values of each device, in the order in which they came. */
function byDevice(entries: readonly LogEntry[]): Map<string, number[]> {
  const all = new Map<string, number[]>()
  for (const { batch } of entries) {
    for (let i = 0; i < batch.values.length; i++) {
      const device = batch.devices[batch.seriesDevice[batch.seriesIndex[i]]]
      all.set(device, [...(all.get(device) ?? []), batch.values[i]])
    }
  }
  return all
}

/** What a log must do that several processes append to and subscribe to; beside `logContract`. */
export function sharedLogContract(name: string, harness: () => Promise<SharedLogHarness>): void {
  describe(`the contract of shared logs: ${name}`, { timeout: 180_000 }, () => {
    let storage: SharedLogHarness
    const opened: Log[] = []
    const open = async (): Promise<Log> => {
      const log = await storage.open()
      opened.push(log)
      return log
    }

    beforeEach(async () => {
      storage = await harness()
    })
    afterEach(async () => {
      for (const log of opened.splice(0)) await log.close()
      await storage.remove()
    })
    const devices = Array.from({ length: 24 }, (_, i) => `device-${i}`)
    const tags = (entries: readonly LogEntry[]): number[] =>
      entries.map(tagOf).sort((a, b) => a - b)
    const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

    it('divides batches by device over its partitions and keeps the order of each', async () => {
      const [one, other] = [await open(), await open()]
      const { entries, deliver } = recorder()
      const watch = await one.subscribe({ group: 'watch', from: [], deliver, members: 'everyone' })
      // Each device is with one gateway, as it is connected to one.
      const [left, right] = [devices.slice(0, 12), devices.slice(12)]
      await Promise.all(
        upTo(40).flatMap(value => [
          one.append([batchOf(left, value)]),
          other.append([batchOf(right, value)]),
        ]),
      )
      await until(() => byDevice(entries).get(devices[0])?.length === 40)
      await until(() => entries.reduce((sum, { batch }) => sum + batch.values.length, 0) === 960)
      for (const device of devices) assert.deepEqual(byDevice(entries).get(device), upTo(40))
      const used = new Set<number>()
      for (const { batch, position } of entries) {
        used.add(position.partition)
        for (const device of batch.devices) {
          assert.equal(partitionOf('default', device, storage.partitions), position.partition)
        }
      }
      assert.equal(used.size, storage.partitions)
      await watch.close()
    })

    it('gives everything to everyone who wants that, and divides it among the others', async () => {
      const [one, other] = [await open(), await open()]
      const everyone = [recorder(), recorder()]
      const divided = [recorder(), recorder()]
      for (const [i, log] of [one, other].entries()) {
        const watch = { group: 'watch', from: [], deliver: everyone[i].deliver }
        await log.subscribe({ ...watch, members: 'everyone' })
        await log.subscribe({ group: 'writer', from: [], deliver: divided[i].deliver })
      }
      const got = (): LogEntry[] => divided.flatMap(({ entries }) => entries)
      let tag = 0
      // Until both have a share: who joins first has all of it for a while.
      while (divided.some(({ entries }) => entries.length === 0)) {
        await one.append(upTo(12).map(i => taggedEntry(tag + i)))
        tag += 12
        await until(() => new Set(tags(got())).size === tag)
      }
      const settled = divided.map(({ entries }) => entries.length)
      await other.append(upTo(60).map(i => taggedEntry(tag + i)))
      tag += 60
      await until(() => everyone.every(({ entries }) => entries.length === tag))
      for (const { entries } of everyone) assert.deepEqual(tags(entries), upTo(tag))
      await until(() => new Set(tags(got())).size === tag)
      const shares = divided.map(({ entries }, i) => entries.slice(settled[i]))
      const partitionsOf = (entries: readonly LogEntry[]): Set<number> =>
        new Set(entries.map(({ position }) => position.partition))
      const both = [...partitionsOf(shares[0])].filter(one => partitionsOf(shares[1]).has(one))
      assert.deepEqual(both, [], 'no partition was with two members')
    })

    it('asks where to go on when partitions change hands, and another member takes them over', async () => {
      // What a store would have, whichever process wrote it.
      const stored = new Map<number, number>()
      const written: LogEntry[] = []
      const asked: number[] = []
      const join = (log: Log): Promise<Subscription> =>
        log.subscribe({
          ...{ group: 'writer', from: [] },
          onAssigned: partitions => {
            asked.push(...partitions)
            return Promise.resolve(
              partitions.flatMap((partition): LogPosition[] => {
                const offset = stored.get(partition)
                return offset === undefined ? [] : [{ partition, offset }]
              }),
            )
          },
          deliver: entries => {
            for (const entry of entries) {
              const { partition, offset } = entry.position
              // As the store does: what it has changes nothing.
              if (offset < (stored.get(partition) ?? 0)) continue
              written.push(entry)
              stored.set(partition, offset + 1)
            }
          },
        })
      const one = await open()
      const first = await join(one)
      await one.append(upTo(30).map(tag => taggedEntry(tag)))
      await until(() => written.length === 30)
      const second = await join(await open())
      await one.append(upTo(30).map(tag => taggedEntry(30 + tag)))
      await until(() => written.length === 60)
      await first.close()
      await one.append(upTo(30).map(tag => taggedEntry(60 + tag)))
      await until(() => written.length === 90)
      assert.deepEqual(tags(written), upTo(90))
      assert.ok(asked.length > storage.partitions, 'both were asked')
      await second.close()
    })

    it('prefers the positions of the store to what the group has committed', async () => {
      const log = await open()
      await log.append(upTo(40).map(tag => taggedEntry(tag)))
      const all = recorder()
      const first = await log.subscribe({ group: 'writer', from: [], deliver: all.deliver })
      await first.caughtUp
      const ends = log.status().partitions.map(({ partition, next }) => {
        return { partition, offset: next }
      })
      await log.commit('writer', ends)
      await until(() => log.status().lag?.get('writer') === 0)
      await first.close()
      // The store lost its last transaction, or was restored from a backup.
      const [last] = all.entries.slice(-1)
      const again = recorder()
      const second = await log.subscribe({
        ...{ group: 'writer', from: ends, deliver: again.deliver },
        onAssigned: partitions =>
          Promise.resolve(
            ends
              .filter(({ partition }) => partitions.includes(partition))
              .map(end => (end.partition === last.position.partition ? last.position : end)),
          ),
      })
      await second.caughtUp
      assert.deepEqual(
        again.entries.map(({ position }) => position),
        [last.position],
      )
      await second.close()
      // Without a store the group goes on where it has committed, whatever this process had read.
      const rest = recorder()
      const begins = ends.map(({ partition }) => ({ partition, offset: 0 }))
      const third = await log.subscribe({ group: 'writer', from: begins, deliver: rest.deliver })
      await third.caughtUp
      assert.deepEqual(rest.entries, [])
      await third.close()
    })

    it('puts what is no entry among the dead letters and goes on', async () => {
      const log = await open()
      const { entries, deliver } = recorder()
      const subscription = await log.subscribe({ group: 'writer', from: [], deliver })
      await log.append([taggedEntry(0)])
      const damaged = Uint8Array.from(taggedEntry(1).frame)
      damaged[damaged.length - 1] ^= 1
      for (let partition = 0; partition < storage.partitions; partition++) {
        await storage.inject(partition, Buffer.from('hello'))
        await storage.inject(partition, damaged)
      }
      await log.append(upTo(20).map(tag => taggedEntry(1 + tag)))
      await until(() => entries.length === 21)
      assert.deepEqual(tags(entries), upTo(21))
      const letters = await listOf(log)
      assert.equal(letters.length, 2 * storage.partitions)
      for (const { reason, group, source, bytes, atMs } of letters) {
        assert.equal(group, 'writer')
        assert.match(reason, bytes.length === 5 ? /fewer than a header/ : /checksum differs/)
        assert.ok(source.partition < storage.partitions && source.offset >= 0 && atMs > 1.6e12)
      }
      await subscription.close()
    })

    it('keeps each dead letter once, until it is removed, for every process', async () => {
      const [one, other] = [await open(), await open()]
      assert.deepEqual(await listOf(other), [])
      const letter = (offset: number) => ({
        bytes: taggedEntry(offset).frame,
        reason: `the store does not want number ${offset}`,
        source: { partition: 1, offset },
        group: 'writer',
      })
      await one.deadLetters?.put([letter(7), letter(8)])
      await other.deadLetters?.put([letter(8), letter(9)])
      const letters = await listOf(other)
      assert.deepEqual(offsetsOf(letters), [7, 8, 9])
      for (const { id: _id, atMs: _atMs, bytes, ...rest } of letters) {
        const { bytes: sent, ...wanted } = letter(rest.source.offset)
        assert.deepEqual(rest, wanted)
        assert.deepEqual(Buffer.from(bytes), Buffer.from(sent))
      }
      const { id } = letters.find(({ source }) => source.offset === 8) ?? letters[0]
      await one.deadLetters?.remove([id, 'unknown'])
      assert.deepEqual(offsetsOf(await listOf(other)), [7, 9])
      await other.deadLetters?.put([letter(8)])
      assert.equal((await listOf(one)).length, 3)
    })

    it('says how far a group is behind', async () => {
      const log = await open()
      const { entries, deliver } = recorder()
      await log.subscribe({ group: 'writer', from: [], deliver })
      await log.append(upTo(20).map(tag => taggedEntry(tag)))
      await until(() => entries.length === 20)
      assert.equal(log.status().lag?.get('writer'), 20)
      const half = entries.slice(0, 10).map(({ position }) => position)
      await log.commit(
        'writer',
        half.map(one => ({ ...one, offset: one.offset + 1 })),
      )
      await until(() => (log.status().lag?.get('writer') ?? 20) < 20)
      await log.commit(
        'writer',
        entries.map(({ position: at }) => ({ ...at, offset: at.offset + 1 })),
      )
      await until(() => log.status().lag?.get('writer') === 0)
    })
  })
}

function offsetsOf(letters: readonly DeadLetter[]): number[] {
  return letters.map(({ source }) => source.offset).sort((a, b) => a - b)
}

async function listOf(log: Log): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const letter of log.deadLetters?.list() ?? []) letters.push(letter)
  return letters
}
