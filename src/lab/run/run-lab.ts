import { randomUUID } from 'node:crypto'
import type { SystemHouse } from '../system/system.ts'
import { cellName, firstRate, planBlocks } from './blocks.ts'
import { runCell } from './cell-runner.ts'
import type { RunParts } from './parts.ts'
import { expectedCellMs } from './phases.ts'
import type { Progress } from './progress.ts'
import type { CellKey, CellRecord, LabRecord, RunRecord, StepRecord } from './record.ts'
import { openResults, type ResultFile } from './result-file.ts'
import { differences, LabRefusal, otherMachine, type RunSettings } from './settings.ts'

export interface LabOptions {
  readonly settings: RunSettings
  readonly directory: string
  /** As it was typed, for the report. */
  readonly command: string
  readonly progress: Progress
  readonly signal: AbortSignal
}

/**
 * Runs every cell that the result file of the folder does not have yet.
 *
 * @returns whether all of them are there now; false: it was stopped.
 * @throws LabRefusal where the folder has a run with other settings, or of another machine.
 */
export async function runLab(parts: RunParts, options: LabOptions): Promise<boolean> {
  const { settings, directory, progress } = options
  const results = openResults(directory)
  let house: SystemHouse | undefined
  try {
    const run = results.records.find(record => record.kind === 'run')
    if (run !== undefined) refuseOthers(run, settings, directory)
    house = await parts.openHouse({
      ...{ directory, solutions: settings.solutions },
      report: line => progress.note(line),
    })
    const machine = await parts.machineFacts({ directory, solutions: settings.solutions })
    if (run === undefined) results.append(runRecord(parts, options, machine))
    else refuseOtherMachine(run, machine, directory)
    const missing = await house.missing(settings.solutions)
    return await new LabRun(parts, { ...options, results, house, missing, before: run }).run()
  } finally {
    results.close()
    await house?.close()
  }
}

function refuseOthers(run: RunRecord, settings: RunSettings, directory: string): void {
  const found = differences(run, settings)
  if (found.length === 0) return
  throw new LabRefusal(
    `${directory} has another run:\n  ${found.join('\n  ')}\n` +
      'Give --out alone to go on with it, or another folder.',
  )
}

function refuseOtherMachine(
  run: RunRecord,
  machine: RunRecord['machine'],
  directory: string,
): void {
  const found = otherMachine(run.machine, machine)
  if (found.length === 0) return
  throw new LabRefusal(
    `${directory} has a run that cannot go on here:\n  ${found.join('\n  ')}\n` +
      'Figures of both would be compared in one table. Begin anew in another folder.',
  )
}

function runRecord(
  { workloads }: RunParts,
  { settings, command }: LabOptions,
  machine: RunRecord['machine'],
): RunRecord {
  return {
    ...{ kind: 'run', formatVersion: 1, id: randomUUID(), startedAt: new Date().toISOString() },
    ...{ command, ...settings, machine },
    workloads: settings.profiles.map(profile => workloads[profile]),
  }
}

interface RunContext extends LabOptions {
  readonly results: ResultFile
  readonly house: SystemHouse
  readonly missing: ReadonlyMap<string, string>
  /** The same run when it was started first; undefined: this is the first time. */
  readonly before: RunRecord | undefined
}

/** What the result file has of a cell. */
interface CellHistory {
  readonly ends: CellRecord[]
  /** Since the last end. */
  steps: StepRecord[]
}

class LabRun {
  readonly #parts: RunParts
  readonly #context: RunContext
  readonly #histories: Map<string, CellHistory>
  readonly #cells: number
  #done = 0
  #measuredCells = 0
  #measuredMs = 0
  #isResumptionTold = false

  constructor(parts: RunParts, context: RunContext) {
    const { solutions, profiles, blocks } = context.settings
    this.#parts = parts
    this.#context = context
    this.#histories = historiesOf(context.results.records)
    this.#cells = solutions.length * profiles.length * blocks
  }

  async run(): Promise<boolean> {
    const { settings, signal } = this.#context
    for (const block of planBlocks(settings)) {
      for (const cell of block) {
        const { ends } = this.#history(cell)
        if (ends.length > 0) this.#tell(ends.at(-1)!)
        else if (!(await this.#measure(cell))) return false
      }
      // What disturbed the generator may be over by now.
      for (const cell of block) {
        const { ends } = this.#history(cell)
        if (ends.length !== 1 || !isVoid(ends[0])) continue
        this.#context.progress.note(`once more, because it was void: ${cellName(cell)}`)
        this.#done--
        if (!(await this.#measure(cell))) return false
      }
    }
    return !signal.aborted
  }

  /** False: it was stopped. */
  async #measure(cell: CellKey): Promise<boolean> {
    const { settings, progress, results, signal, missing, house } = this.#context
    if (signal.aborted) return false
    this.#tellOfResumption()
    const history = this.#history(cell)
    const problem = missing.get(cell.solution)
    let end: CellRecord | undefined
    if (problem === undefined) {
      const startedMs = performance.now()
      progress.cellStarts(cell)
      const { seed, slo } = settings
      const startRate = firstRate(seed, cell, settings.phases)
      end = await runCell(
        { ...this.#parts, house },
        {
          ...{ cell, seed, slo, progress, signal },
          phases: { ...settings.phases, startRate },
          solution: settings.solutions.find(({ id }) => id === cell.solution)!,
          workload: this.#parts.workloads[cell.profile],
          before: history.steps,
          append: step => results.append(step),
        },
      )
      this.#measuredMs += performance.now() - startedMs
      this.#measuredCells++
    } else {
      end = {
        kind: 'cell',
        cell,
        endedAt: new Date().toISOString(),
        maxRate: 0,
        limit: [],
        problem,
      }
    }
    if (end === undefined) return false
    results.append(end)
    history.ends.push(end)
    history.steps = []
    this.#tell(end)
    return true
  }

  /** With the first that is measured: a run that has all of its cells was not interrupted. */
  #tellOfResumption(): void {
    const { before, results } = this.#context
    if (before === undefined || this.#isResumptionTold) return
    this.#isResumptionTold = true
    results.append({ ...before, startedAt: new Date().toISOString() })
  }

  #tell(end: CellRecord): void {
    const { settings, progress } = this.#context
    this.#done++
    const eachMs =
      this.#measuredCells === 0
        ? expectedCellMs(settings.phases)
        : this.#measuredMs / this.#measuredCells
    const left = this.#cells - this.#done
    progress.cellEnds(end, { done: this.#done, cells: this.#cells, leftMs: left * eachMs })
  }

  #history(cell: CellKey): CellHistory {
    const name = cellName(cell)
    let history = this.#histories.get(name)
    if (history === undefined) {
      history = { ends: [], steps: [] }
      this.#histories.set(name, history)
    }
    return history
  }
}

const isVoid = ({ problem }: CellRecord): boolean => problem?.startsWith('void') === true

function historiesOf(records: readonly LabRecord[]): Map<string, CellHistory> {
  const histories = new Map<string, CellHistory>()
  for (const record of records) {
    if (record.kind === 'run') continue
    const name = cellName(record.cell)
    const history = histories.get(name) ?? { ends: [], steps: [] }
    histories.set(name, history)
    if (record.kind === 'step') history.steps.push(record)
    else {
      history.ends.push(record)
      history.steps = []
    }
  }
  return histories
}
