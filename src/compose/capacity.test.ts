import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { testCalibration } from '../plan/calibration.fixture.ts'
import { testHost } from '../../test/fixtures/http-client.ts'
import { capacityPlans } from './capacity.ts'

test('plans are calibrated by the configured file, as soon as it can be read', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-capacity-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'calibration.json')
  const warned: string[] = []
  const capacity = capacityPlans(file, { warn: (_fields, message) => void warned.push(message) })
  const host = await testHost({ overrides: { capacity } })
  const ask = async () => (await host.post('/api/v1/capacity', { devices: 300 })).json

  const without = await ask()
  assert.equal(without.measured, null)
  assert.match(without.warnings[0], /plan\.calibration names a lab result that cannot be read/)
  assert.doesNotMatch(JSON.stringify(without), /weir-capacity-/, 'paths are nobody’s business')
  assert.equal(warned.length, 1)

  writeFileSync(file, JSON.stringify(testCalibration({}, { topology: 'tune' })))
  const measured = await ask()
  assert.equal(measured.measured.topology, 'embedded')
  assert.equal(measured.measured.extrapolation, 0.6)
  assert.deepEqual(measured.classic.cores, 4)
  assert.equal(measured.candidates.length, 2)
  assert.equal(measured.calibration.cpu, 'Test CPU')
  assert.deepEqual([measured.cores, measured.warnings], [2, []])
  assert.equal(warned.length, 1)
  await host.app.close()
})
