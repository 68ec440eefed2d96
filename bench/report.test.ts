import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { atLeast, atMost, type Figure } from './figure.ts'
import { report, written } from './report.ts'

const machine = {
  ...{ date: '2026-01-01', commit: 'abc', cores: 2, cpu: 'CPU', memoryGb: 8 },
  ...{ kernel: 'Linux', node: 'v24' },
}

describe('the report of a bench', () => {
  it('writes numbers with the digits that mean something', () => {
    assert.deepEqual([1_234_567, 12_345, 1500, 0.123, NaN].map(written), [
      '1.23 M',
      '12.3 k',
      '1500',
      '0.12',
      '–',
    ])
  })

  it('shows each figure against its goals, and why a run is void', () => {
    const figure: Figure = {
      ...{
        name: 'singles',
        unit: 'requests/s',
        value: 41_000,
        values: [41_000],
        p50Ms: 1,
        p99Ms: 6,
      },
      ...{ goals: [atLeast(25_000, 40_000), atMost('p99Ms', 10, 5)], problems: [] },
    }
    const start: Figure = { ...figure, name: 'start', value: 900, goals: [atMost('value', 1500)] }
    const lost: Figure = { ...figure, name: 'lost', problems: ['3 points are missing'] }
    const text = report(machine, [figure, start, lost], false)
    assert.match(
      text,
      /\| singles +\| 41\.0 k requests\/s +\| 1\.00 +\| 6\.00 +\| ≥ 25 k, p99 ≤ 10 \| ≥ 40 k, p99 ≤ 5 \| met/,
    )
    assert.match(text, /\| start .*\| ≤ 1500 +\| +\| met/)
    assert.match(text, /\| lost .*\| VOID/)
    assert.match(text, /^VOID: 3 points are missing \(lost\)$/m)
  })
})
