import assert from 'node:assert/strict'
import { test } from 'node:test'
import { machineFigures, type MachineMoment } from './machine-usage.ts'

/** Two cores, a moment a second: 200 ticks of 10 ms each, of which 150 are busy and 4 stolen. */
const moment = (second: number, more: Partial<MachineMoment> = {}): MachineMoment => ({
  atMs: 500 + 1000 * second,
  cpuMs: new Map([
    ['api', 600],
    ['database', 300],
  ]),
  machine: { total: 200 * second, busy: 150 * second, steal: 4 * second },
  pressureMs: 7000 + 250 * second,
  ownCpuMs: 90 + 20 * second,
  ...more,
})

test('what is busy and neither the system, the generator nor the lab is of others', () => {
  const found = machineFigures([moment(0), moment(1), moment(2)], 0.3)
  // 1500 ms a second, less 900 of the system, 300 of the generator and 20 of the lab, of 2000.
  assert.ok(Math.abs(found.othersPct! - 14) < 1e-9, String(found.othersPct))
  assert.deepEqual({ ...found, othersPct: 14 }, { stealPct: 2, othersPct: 14, cpuPressurePct: 25 })
})

test('a kernel that does not tell leaves figures out, and one moment says nothing', () => {
  const silent = { pressureMs: undefined }
  const found = machineFigures([moment(0, silent), moment(1, silent)], 0.9)
  assert.deepEqual(found, { stealPct: 2, othersPct: 0 })
  const nothing = { machine: undefined }
  assert.deepEqual(machineFigures([moment(0, nothing), moment(1, nothing)], 0), { stealPct: 0 })
  assert.deepEqual(machineFigures([moment(0)], 0), { stealPct: 0 })
  assert.deepEqual(machineFigures([], 0), { stealPct: 0 })
})
