import assert from 'node:assert/strict'
import { test } from 'node:test'
import { analyse } from '../../analysis/analysis.ts'
import type { LabRecord } from '../../run/record.ts'
import { labResults } from '../results.fixture.ts'
import type { Fault } from '../results.fixture.ts'
import { el, escapeHtml, render } from './markup.ts'
import { reportPage } from './page.ts'
import { linearScale, logScale, spread } from './scale.ts'

const page = (records: readonly LabRecord[]): string => reportPage(analyse(records))
const count = (text: string, part: string): number => text.split(part).length - 1

test('the page needs nothing from outside: no address, script, font or import', () => {
  const html = page(labResults({ blocks: 2 }))
  assert.doesNotMatch(html, /<script|<link|<img|<iframe|<object|@import|url\(|javascript:/i)
  assert.doesNotMatch(html, /\b(src|href|xlink:href|action)=/i)
  assert.doesNotMatch(html, /https?:\/\//)
  assert.match(html, /Content-Security-Policy" content="default-src &#39;none&#39;/)
})

test('it has a plot of each profile, a ramp and the resources of each cell, and all rows', () => {
  const html = page(labResults({ blocks: 2 }))
  assert.equal(count(html, 'aria-label="Rate against latency'), 4)
  assert.equal(count(html, 'aria-label="The ramp over time"'), 7 * 4)
  assert.equal(count(html, 'aria-label="CPU and memory of'), 7 * 4)
  assert.equal(count(html, 'SLO broken at '), 7 * 4)
  assert.equal(count(html, 'class="met">met</td>'), 8 * 4)
  assert.ok(html.includes('<title>tune sustains '))
  assert.ok(html.includes('One after the other: baseline → tune → cluster'))
})

test('no coordinate is missing, whatever is missing of the results', () => {
  const faults: Record<string, Fault> = {
    'queue mixed': 'missing',
    'tune mixed': 'unstarted',
    'cache mixed': 'invalid',
    'scale mixed': 'void',
    'cluster mixed': 'not met',
    'embedded mixed': 'unfinished',
  }
  for (const records of [
    labResults({ blocks: 1, isQuick: true, solutions: ['baseline'], profiles: ['mixed'] }),
    labResults({ faults }),
    labResults({ solutions: ['queue'], profiles: ['mixed'], faults }),
    labResults({}).slice(0, 1),
  ]) {
    assert.doesNotMatch(page(records), /NaN|Infinity|undefined|\[object/)
  }
})

test('a cell without a result is told of with its reason, in table and plots', () => {
  const html = page(labResults({ faults: { 'queue mixed': 'missing' } }))
  assert.ok(html.includes('blocks 1, 2, 3: no Kafka on this machine (queue)</td>'))
  assert.ok(html.includes('queue: no result. blocks 1, 2, 3: no Kafka on this machine (queue).'))
})

test('what a result file says is text in the page, wherever it stands', () => {
  const evil = '<script>alert(1)</script>"\'&'
  const records = labResults({ blocks: 2, solutions: ['baseline', 'tune'], profiles: ['mixed'] })
  const replaced = JSON.parse(
    JSON.stringify(records, (key, value: unknown) =>
      typeof value === 'string' && key !== 'kind' && key !== 'phase' && key !== 'role'
        ? ['pass', 'fail', 'p99', 'achieved'].includes(value)
          ? value
          : `${value}${evil}`
        : value,
    ),
  ) as LabRecord[]
  const html = page(replaced)
  assert.ok(html.includes(escapeHtml(evil)))
  assert.doesNotMatch(html, /<script/)
  assert.equal(count(html, '"\''), 0)
})

test('text and attributes are escaped, and false is nothing', () => {
  const made = el('p', { title: `"'<` }, 'a<b>&', false, undefined, [1.26])
  assert.equal(render(made), '<p title="&quot;&#39;&lt;">a&lt;b&gt;&amp;1.3</p>')
})

test('scales: ends, order and round ticks', () => {
  const log = logScale({ min: 10, max: 1000 }, { from: 0, to: 100 })
  assert.deepEqual(
    [10, 100, 1000, 5000].map(value => Math.round(log.at(value))),
    [0, 50, 100, 100],
  )
  assert.deepEqual(
    log.ticks.map(({ label }) => label),
    ['10', '100', '1k'],
  )
  const linear = linearScale(95, { from: 0, to: 100 })
  assert.deepEqual(
    linear.ticks.map(({ value }) => value),
    [0, 50, 100],
  )
  for (const max of [0.9, 1.2, 40]) {
    const { ticks } = logScale({ min: 0.8, max }, { from: 0, to: 1 })
    assert.ok(ticks.length >= 2 && ticks.length <= 9, `${max}: ${ticks.length}`)
  }
})

test('labels are moved apart within their bounds, and keep their order', () => {
  const moved = spread([50, 51, 52, 90], { gap: 13, from: 0, to: 100 })
  const sorted = [...moved].sort((a, b) => a - b)
  assert.deepEqual(moved, sorted)
  assert.ok(moved.every((place, i) => i === 0 || place - moved[i - 1] >= 13 - 1e-9))
  assert.ok(moved.every(place => place >= 0 && place <= 100))
})
