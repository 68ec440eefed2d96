import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { latencyOf, loadOf, probesOf } from '../search/step.fixture.ts'
import { fakeLab, MACHINE, settingsOf, solutionsOf, type FakeLab } from './lab.fixture.ts'
import { SILENT, type Progress } from './progress.ts'
import type { CellRecord, LabRecord, StepRecord } from './record.ts'
import { readResults, RESULT_FILE } from './result-file.ts'
import { runLab } from './run-lab.ts'
import { LabRefusal, type RunSettings } from './settings.ts'

interface Run {
  readonly settings?: Partial<RunSettings>
  readonly progress?: Partial<Progress>
  readonly signal?: AbortSignal
}

function folderOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'weir-lab-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function run(lab: FakeLab, directory: string, { settings, progress, signal }: Run = {}) {
  return runLab(lab.parts, {
    settings: settingsOf(settings),
    ...{ directory, command: 'weir lab run' },
    progress: { ...SILENT, ...progress },
    signal: signal ?? new AbortController().signal,
  })
}

const cellsOf = (records: readonly LabRecord[]): CellRecord[] =>
  records.filter(record => record.kind === 'cell')
const stepsOf = (records: readonly LabRecord[]): StepRecord[] =>
  records.filter(record => record.kind === 'step')

test('every cell is measured once a block, and its limit found', async t => {
  const directory = folderOf(t)
  const lab = fakeLab({ baseline: 700, tune: 2100 })
  assert.equal(await run(lab, directory, { settings: { blocks: 2 } }), true)
  const records = await readResults(directory)
  const [head] = records
  assert.equal(head.kind === 'run' && head.seed, 7)
  assert.deepEqual(head.kind === 'run' && head.workloads?.map(({ id }) => id), [
    'mixed',
    'write-heavy',
  ])
  const cells = cellsOf(records)
  assert.equal(cells.length, 8)
  for (const { cell, maxRate, problem } of cells) {
    const limit = cell.solution === 'tune' ? 2100 : 700
    assert.equal(problem, undefined)
    assert.ok(maxRate <= limit && maxRate >= limit / 1.21, `${maxRate} of ${limit}`)
  }
  const blocks = cells.map(({ cell }) => cell.block)
  assert.deepEqual(
    blocks,
    blocks.toSorted((a, b) => a - b),
  )
  assert.equal(lab.log.at(-1), 'close')
})

test('every step has a fresh system, and the overload the one of the confirmation', async t => {
  const directory = folderOf(t)
  const lab = fakeLab()
  const settings = { solutions: solutionsOf('baseline'), profiles: ['mixed'] }
  await run(lab, directory, { settings })
  const steps = stepsOf(await readResults(directory))
  assert.deepEqual(
    steps.slice(-2).map(({ phase }) => phase),
    ['confirm', 'overload'],
  )
  const rates = steps.slice(-2).map(({ rate }) => `load ${rate}`)
  assert.deepEqual(lab.log.slice(-6), [
    'stop baseline',
    'start baseline',
    ...rates,
    'stop baseline',
    'close',
  ])
  assert.equal(lab.log.filter(line => line.startsWith('start')).length, steps.length - 1)
})

test('all architectures get the same devices and arrivals, other blocks others', async t => {
  const lab = fakeLab()
  const seeds = new Map<string, Set<number>>()
  lab.onLoad = ({ workload, seed, executor }) => {
    if (executor.kind !== 'ramping-arrival-rate') return
    const known = seeds.get(workload.id) ?? new Set()
    seeds.set(workload.id, known.add(seed))
  }
  await run(lab, folderOf(t), { settings: { blocks: 2 } })
  assert.deepEqual(
    [...seeds.values()].map(({ size }) => size),
    [2, 2],
  )
})

test('a run that was stopped goes on where it was, at the step', async t => {
  const directory = folderOf(t)
  const settings = { blocks: 2 }
  const whole = folderOf(t)
  await run(fakeLab(), whole, { settings })
  const expected = await readResults(whole)

  const lab = fakeLab()
  let starts = 0
  for (let isComplete = false; !isComplete; starts++) {
    assert.ok(starts < 100, 'it never ends')
    const stop = new AbortController()
    let loads = 0
    // Within its fourth load each time.
    lab.onLoad = () => ++loads === 4 && stop.abort()
    isComplete = await run(lab, directory, { settings, signal: stop.signal })
  }
  const shape = (records: readonly LabRecord[]): unknown[] =>
    records.map(record =>
      record.kind === 'run'
        ? record.seed
        : record.kind === 'step'
          ? [record.cell, record.phase, record.rate]
          : [record.cell, record.maxRate, record.limit],
    )
  const found = await readResults(directory)
  const [first, ...others] = found.filter(record => record.kind === 'run')
  assert.ok(starts > 2)
  assert.equal(1 + others.length, starts)
  for (const other of others) assert.deepEqual({ ...other, startedAt: first.startedAt }, first)
  const steps = found.filter(record => record.kind !== 'run')
  assert.deepEqual(shape([first, ...steps]), shape(expected))
  assert.equal(await run(lab, directory, { settings }), true)
  assert.equal((await readResults(directory)).length, found.length)
})

test('a torn last line is dropped, and its step runs again', async t => {
  const directory = folderOf(t)
  await run(fakeLab(), directory)
  const before = await readResults(directory)
  const file = join(directory, RESULT_FILE)
  appendFileSync(file, '{"kind":"step","cell":{"blo')
  assert.equal((await readResults(directory)).length, before.length)
  assert.equal(await run(fakeLab(), directory), true)
  assert.match(readFileSync(file, 'utf8'), /\}\n$/)
  assert.deepEqual(await readResults(directory), before)
})

test('a damaged line before the last is told and nothing is overwritten', async t => {
  const directory = folderOf(t)
  await run(fakeLab(), directory)
  const file = join(directory, RESULT_FILE)
  appendFileSync(file, 'garbage\n')
  await assert.rejects(run(fakeLab(), directory), /results\.ndjson:\d+ is no record of the lab/)
  assert.match(readFileSync(file, 'utf8'), /garbage\n$/)
})

test('a run with other settings is refused, with what differs', async t => {
  const directory = folderOf(t)
  await run(fakeLab(), directory)
  const before = await readResults(directory)
  const lab = fakeLab()
  await assert.rejects(
    run(lab, directory, { settings: { seed: 8, solutions: solutionsOf('baseline') } }),
    (error: Error) =>
      error instanceof LabRefusal &&
      /--seed was 7, and is 8 now/.test(error.message) &&
      /--topologies was baseline,tune, and is baseline now/.test(error.message),
  )
  lab.parts.machineFacts.call(undefined, { directory, solutions: [] }).catch(assert.fail)
  const elsewhere = {
    ...lab.parts,
    machineFacts: () => Promise.resolve({ ...MACHINE, commit: 'def5678' }),
  }
  await assert.rejects(
    run({ ...lab, parts: elsewhere }, directory),
    /commit was abc1234, and is def5678 now/,
  )
  assert.deepEqual(await readResults(directory), before)
})

test('what cannot run here, and what does not start, has its reason, and the others go on', async t => {
  const directory = folderOf(t)
  const lab = fakeLab()
  lab.missing.set('queue', 'no Java')
  lab.broken.add('tune')
  const settings = { solutions: solutionsOf('queue', 'tune', 'baseline'), profiles: ['mixed'] }
  assert.equal(await run(lab, directory, { settings }), true)
  const problems = cellsOf(await readResults(directory)).map(({ cell, problem }) => [
    cell.solution,
    problem,
  ])
  assert.deepEqual(Object.fromEntries(problems), {
    queue: 'no Java',
    tune: 'the system did not start: no room at start',
    baseline: undefined,
  })
})

test('a start that fails once is tried again, and says nothing of the rate', async t => {
  const directory = folderOf(t)
  const lab = fakeLab()
  // Every third start fails, each of them once.
  let starts = 0
  const { openHouse } = lab.parts
  const parts = {
    ...lab.parts,
    openHouse: async (options: Parameters<typeof openHouse>[0]) => {
      const house = await openHouse(options)
      const start: typeof house.start = (...given) =>
        ++starts % 3 === 0 ? Promise.reject(new Error('no room')) : house.start(...given)
      return { ...house, start }
    },
  }
  const settings = { solutions: solutionsOf('baseline'), profiles: ['mixed'] }
  await run({ ...lab, parts }, directory, { settings })
  const records = await readResults(directory)
  assert.ok(starts > 3)
  assert.ok(cellsOf(records)[0].maxRate > 800)
  const rules = stepsOf(records).flatMap(({ verdict }) => verdict.breaches.map(({ rule }) => rule))
  assert.ok(!rules.includes('crash'))
})

test('a system that ends under load breaks there, and is searched below', async t => {
  const directory = folderOf(t)
  const lab = fakeLab()
  lab.startProbes = () => {
    let rate = 0
    lab.onLoad = ({ executor }) => {
      rate = executor.kind === 'constant-arrival-rate' ? executor.rate : 0
    }
    return Promise.resolve({
      finish: () =>
        rate > 600 ? Promise.reject(new Error('ECONNREFUSED')) : Promise.resolve(probesOf({})),
      stop: () => Promise.resolve(),
      latest: () => undefined,
    })
  }
  await run(lab, directory, {
    settings: { solutions: solutionsOf('baseline'), profiles: ['mixed'] },
  })
  const records = await readResults(directory)
  const [cell] = cellsOf(records)
  assert.ok(cell.maxRate > 450 && cell.maxRate <= 600, `${cell.maxRate}`)
  assert.deepEqual(cell.limit[0].rule, 'crash')
  assert.match(cell.limit[0].detail, /the system ended under load: ECONNREFUSED/)
})

test('a system that dies under load has broken there, and has lost nothing', async t => {
  const directory = folderOf(t)
  const lab = fakeLab({ baseline: 5000 })
  lab.startProbes = () =>
    Promise.resolve({
      finish: () => {
        const { ledger, ...rest } = probesOf({})
        if (lab.failure === undefined) return Promise.resolve({ ...rest, ledger })
        const gone = { stored: 0, counted: 0, unread: 'ECONNREFUSED', problems: ['no ledger'] }
        return Promise.resolve({ ...rest, ledger: { ...ledger, ...gone } })
      },
      stop: () => Promise.resolve(),
      latest: () => undefined,
    })
  lab.onLoad = ({ executor }) => {
    const isTooMuch = executor.kind === 'constant-arrival-rate' && executor.rate > 600
    lab.failure = isTooMuch ? 'weir up ended (SIGKILL):\nout of memory' : undefined
  }
  const settings = { solutions: solutionsOf('baseline'), profiles: ['mixed'] }
  await run(lab, directory, { settings })
  const records = await readResults(directory)
  const { maxRate, limit, problem } = cellsOf(records)[0]
  assert.ok(maxRate > 450 && maxRate <= 600, `${maxRate}`)
  const detail = 'the system ended under load: weir up ended (SIGKILL): out of memory'
  assert.deepEqual([problem, limit], [undefined, [{ rule: 'crash', detail }]])
  const overload = stepsOf(records).at(-1)!
  assert.deepEqual([overload.phase, overload.verdict.outcome], ['overload', 'fail'])
  assert.deepEqual([overload.load !== undefined, overload.probes], [true, undefined])
})

test('a generator that dies makes the step void, not the system slow', async t => {
  const directory = folderOf(t)
  const lab = fakeLab()
  let deaths = 0
  lab.bend = (load, { executor }) => {
    if (executor.kind === 'constant-arrival-rate' && deaths++ === 0)
      throw new Error('out of memory')
    return load
  }
  await run(lab, directory, {
    settings: { solutions: solutionsOf('baseline'), profiles: ['mixed'] },
  })
  const records = await readResults(directory)
  const [first, second] = stepsOf(records).filter(({ phase }) => phase === 'bisect')
  assert.equal(first.verdict.outcome, 'void')
  assert.match(first.verdict.breaches[0].detail, /the generator ended: out of memory/)
  assert.deepEqual([second.rate, second.attempt], [first.rate, 2])
  assert.ok(cellsOf(records)[0].maxRate > 800)
})

test('a cell that was void is measured once more at the end of its block', async t => {
  const directory = folderOf(t)
  const lab = fakeLab()
  let isBusy = true
  lab.bend = load => (isBusy ? { ...load, sendLag: latencyOf({ p99Ms: 30 }), stages: [] } : load)
  const ended: (string | undefined)[] = []
  const progress: Partial<Progress> = {
    cellEnds: ({ problem }) => {
      ended.push(problem)
      isBusy = false
    },
  }
  const settings = { profiles: ['mixed'] }
  assert.equal(await run(lab, directory, { settings, progress }), true)
  const cells = cellsOf(await readResults(directory))
  assert.equal(cells.length, 3)
  assert.match(cells[0].problem ?? '', /^void at every rate/)
  assert.deepEqual(cells[2].cell, cells[0].cell)
  assert.equal(cells[2].problem, undefined)
  assert.equal(await run(lab, directory, { settings }), true)
  assert.equal(cellsOf(await readResults(directory)).length, 3)
})

test('a ramp whose queue fills up has broken there, however quick the answers are', async t => {
  const directory = folderOf(t)
  const lab = fakeLab({ baseline: 5000 })
  lab.bend = load => ({ ...load, acknowledgedPoints: 30_000 })
  lab.startProbes = () =>
    Promise.resolve({
      finish: load => {
        const drowned = load.stages.find(({ rate }) => rate > 1000)
        const samples = drowned && [
          { atMs: drowned.toMs, cpuPct: {}, memoryBytes: {}, backlogPoints: 90_000 },
        ]
        return Promise.resolve(probesOf({ samples: samples ?? [] }))
      },
      stop: () => Promise.resolve(),
      latest: () => undefined,
    })
  await run(lab, directory, {
    settings: { solutions: solutionsOf('baseline'), profiles: ['mixed'] },
  })
  const [pilot, next] = stepsOf(await readResults(directory))
  assert.equal(pilot.phase, 'pilot')
  const [held, broke] = [pilot.load!.stages[3].rate, pilot.load!.stages[4].rate]
  assert.ok(held <= 1000 && broke > 1000)
  assert.equal(next.rate, Math.round(Math.sqrt(held * broke)))
})

test('the load of a ramp is stopped when the backlog is worth seconds of it', async t => {
  const lab = fakeLab({ baseline: 5000 })
  const { startLoad } = lab.parts
  let stops = 0
  const parts = {
    ...lab.parts,
    startLoad: async (...[plan, onTick]: Parameters<typeof startLoad>) => {
      const running = await startLoad(plan)
      const stop = (): void => void stops++
      const result = running.result.then(load => {
        const tick = { ...loadOf({}).latency, atMs: 1000, offered: 100, achieved: 100, failures: 0 }
        onTick?.({ ...tick, inFlight: 0, waiting: 0 })
        return load
      })
      return { ...running, result, stop }
    },
  }
  const sample = { atMs: 1000, cpuPct: {}, memoryBytes: {}, backlogPoints: 101 }
  lab.startProbes = () =>
    Promise.resolve({
      finish: () => Promise.resolve(probesOf({})),
      stop: () => Promise.resolve(),
      latest: () => sample,
    })
  const settings = { solutions: solutionsOf('baseline'), profiles: ['mixed'] }
  await run({ ...lab, parts }, folderOf(t), { settings })
  // Half of the requests have a point: 50 points/s. Only the ramp is ever cut short.
  assert.equal(stops, 1)
})
