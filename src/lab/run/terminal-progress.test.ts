import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadOf, probesOf } from '../search/step.fixture.ts'
import type { StepRecord } from './record.ts'
import { TerminalProgress } from './terminal-progress.ts'

const CELL = { block: 1, solution: 'baseline', profile: 'mixed' }
const STEP: StepRecord = {
  ...{ kind: 'step', cell: CELL, phase: 'bisect', attempt: 1, rate: 1414 },
  ...{ startedAt: '2026-11-21T10:00:00.000Z', load: loadOf({}), probes: probesOf({}) },
  verdict: { outcome: 'pass', breaches: [] },
}
const TICK = {
  ...{ atMs: 1000, offered: 1400, achieved: 1398, failures: 0, p50Ms: 1, p95Ms: 5, p99Ms: 12 },
  ...{ inFlight: 3, waiting: 0 },
}

function shown(
  isTTY: boolean,
  columns?: number,
): { progress: TerminalProgress; text: () => string } {
  let text = ''
  const write = (more: string): unknown => (text += more)
  const run = { solutions: ['baseline', 'tune'], profiles: ['mixed'] }
  const progress = new TerminalProgress({ isTTY, columns, write }, run)
  return { progress, text: () => text }
}

/** What stands on the screen in the end. */
function screen(text: string): string[] {
  const lines = ['']
  for (const part of text.split(/(\x1b\[\d+A\x1b\[J|\n)/)) {
    const up = /^\x1b\[(\d+)A/.exec(part)
    if (up !== null) lines.splice(lines.length - 1 - Number(up[1]), Infinity, '')
    else if (part === '\n') lines.push('')
    else lines[lines.length - 1] += part
  }
  return lines
}

test('without a terminal there is a line a step and a line a cell, and nothing is redrawn', () => {
  const { progress, text } = shown(false)
  progress.cellStarts(CELL)
  progress.stepStarts(CELL, { phase: 'bisect', attempt: 1, rates: [1414] })
  progress.stage('load')
  progress.tick(TICK)
  progress.stepEnds(STEP)
  const limit = [{ rule: 'p99', detail: 'p99 of GET 412 ms, at most 300 ms' }] as const
  const end = { kind: 'cell', cell: CELL, endedAt: '', maxRate: 1414, limit } as const
  progress.cellEnds(end, { done: 1, cells: 2, leftMs: 75_000 })
  progress.end()
  assert.deepEqual(text().split('\n'), [
    'baseline · mixed · block 1 · search 1414/s: held, 1000/s achieved, p99 20 ms',
    'baseline · mixed · block 1: 1414/s; above it p99 of GET 412 ms, at most 300 ms (1 of 2, about 1 min left)',
    '',
  ])
})

test('on a terminal what runs now and the table are redrawn below the lines of the steps', () => {
  const { progress, text } = shown(true, 60)
  progress.stepStarts(CELL, { phase: 'bisect', attempt: 1, rates: [1414] })
  progress.tick(TICK)
  progress.stepEnds(STEP)
  progress.tick({ ...TICK, failures: 7, inFlight: 120 })
  const lines = screen(text())
  assert.equal(lines.filter(line => line.includes('held')).length, 1)
  assert.equal(lines.filter(line => line.includes('search at 1414/s')).length, 1)
  assert.match(lines.join('\n'), /baseline +·/)
  // Too long for the terminal: cut, so that it can be erased.
  assert.ok(lines.slice(1).every(line => line.length <= 60))
  progress.end()
  assert.deepEqual(screen(text()).slice(1), [''])
})
