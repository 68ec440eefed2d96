import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_FAULTS } from './faults.ts'
import { fleetMessages, type FleetOptions } from './fleet.ts'
import type { Message } from './message.ts'

const START_MS = Date.UTC(2026, 5, 1)
const BASE: FleetOptions = {
  ...{ devices: 40, metrics: 6, intervalMs: 1000, seed: 7 },
  ...{ faults: NO_FAULTS, startMs: START_MS, durationMs: 500_000 },
}
const run = (options: Partial<FleetOptions> = {}): Message[] => [
  ...fleetMessages({ ...BASE, ...options }),
]
const key = (message: Message): string => `${message.deviceId} ${message.timestamp}`

describe('a fleet', () => {
  it('sends the same points for the same seed, others for another', () => {
    assert.deepEqual(run({ durationMs: 20_000 }), run({ durationMs: 20_000 }))
    assert.notDeepEqual(run({ durationMs: 20_000 }), run({ durationMs: 20_000, seed: 8 }))
  })

  it('has each device send once an interval, in a phase of its own, in the order of time', () => {
    const messages = run({ durationMs: 10_000 })
    assert.equal(messages.length, 40 * 10)
    const perDevice = Map.groupBy(messages, message => message.deviceId)
    assert.equal(perDevice.size, 40)
    const phases = new Set<number>()
    for (const [, sent] of perDevice) {
      assert.equal(sent.length, 10)
      for (let i = 1; i < sent.length; i++) {
        assert.equal(Number(sent[i].timestamp) - Number(sent[i - 1].timestamp), 1000)
      }
      phases.add(sent[0].dueMs)
    }
    assert.ok(phases.size > 35, `${phases.size} phases`)
    for (let i = 1; i < messages.length; i++) assert.ok(messages[i].dueMs >= messages[i - 1].dueMs)
  })

  it('does not change a device when others join, nor its values when faults are asked for', () => {
    const alone = run({ devices: 1, durationMs: 60_000 })
    const among = run({ durationMs: 60_000 }).filter(message => message.deviceId === 'pump-0001')
    assert.deepEqual(alone, among)
    const clean = new Map(
      run({ durationMs: 60_000 }).map(message => [key(message), JSON.stringify(message.data)]),
    )
    const faults = { ...NO_FAULTS, dropOuts: 0.1, disorder: 0.1, duplicates: 0.1 }
    for (const message of run({ durationMs: 60_000, faults })) {
      assert.equal(clean.get(key(message)), JSON.stringify(message.data))
    }
  })

  it('has as many metrics as asked for: numbers, states and counters that never fall', () => {
    const messages = run({ devices: 2, metrics: 14, durationMs: 3_600_000, intervalMs: 10_000 })
    const pump = messages.filter(message => message.deviceId === 'pump-0001')
    assert.equal(Object.keys(pump[0].data).length, 14)
    const states = new Set(pump.map(message => message.data['running']))
    assert.ok(states.has(true) && states.has(false), 'it runs and it rests')
    let energy = -1
    for (const { data } of pump) {
      assert.ok(Number(data['energy_kwh']) >= energy)
      energy = Number(data['energy_kwh'])
      assert.equal(data['pressure_bar'], Math.round(Number(data['pressure_bar']) * 100) / 100)
    }
  })

  it('is warmer in the afternoon than before dawn', () => {
    const messages = run({ devices: 20, metrics: 1, durationMs: 86_400_000, intervalMs: 600_000 })
    const mean = (hour: number): number => {
      const at = messages.filter(
        message =>
          'temperature_c' in message.data && new Date(message.timestamp).getUTCHours() === hour,
      )
      return at.reduce((sum, message) => sum + Number(message.data['temperature_c']), 0) / at.length
    }
    assert.ok(mean(15) - mean(3) > 3, `${mean(15)} and ${mean(3)}`)
  })
})

describe('the faults of a fleet', () => {
  const clean = run()
  const known = new Map(clean.map(message => [key(message), message]))
  const close = (found: number, asked: number): void => {
    assert.ok(Math.abs(found - asked) < 0.25 * asked, `asked for ${asked}, found ${found}`)
  }

  it('leave out the share asked for, in spells of silence', () => {
    const sent = run({ faults: { ...NO_FAULTS, dropOuts: 0.1 } })
    close(1 - sent.length / clean.length, 0.1)
    let spells = 0
    for (const [, messages] of Map.groupBy(sent, message => message.deviceId)) {
      for (let i = 1; i < messages.length; i++)
        if (messages[i].dueMs - messages[i - 1].dueMs > 1500) spells++
    }
    assert.ok(spells * 5 < clean.length - sent.length, `${spells} spells`)
  })

  it('send the share asked for late, with its own time', () => {
    const sent = run({ faults: { ...NO_FAULTS, disorder: 0.05 } })
    assert.deepEqual(new Set(sent.map(key)), new Set(clean.map(key)))
    assert.equal(sent.length, clean.length)
    let late = 0
    const newest = new Map<string, number>()
    for (const message of sent) {
      const time = Number(message.timestamp)
      if (time < (newest.get(message.deviceId) ?? 0)) late++
      else newest.set(message.deviceId, time)
    }
    close(late / sent.length, 0.05)
    for (let i = 1; i < sent.length; i++) assert.ok(sent[i].dueMs >= sent[i - 1].dueMs)
  })

  it('send the share asked for twice, with the same values', () => {
    const sent = run({ faults: { ...NO_FAULTS, duplicates: 0.03 } })
    close(sent.length / clean.length - 1, 0.03)
    for (const message of sent) assert.deepEqual(message.data, known.get(key(message))?.data)
  })

  it('put one value far outside in the share asked for', () => {
    const sent = run({ faults: { ...NO_FAULTS, spikes: 0.02 } })
    let spikes = 0
    for (const message of sent) {
      const before = known.get(key(message))!.data
      const changed = Object.keys(before).filter(name => before[name] !== message.data[name])
      assert.ok(changed.length <= 1)
      if (changed.length === 1) {
        spikes++
        assert.ok(Number(message.data[changed[0]]) > Number(before[changed[0]]) + 50)
      }
    }
    close(spikes / sent.length, 0.02)
  })
})
