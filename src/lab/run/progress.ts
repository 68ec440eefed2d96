import type { Tick } from '../generator/load.ts'
import type { PlannedStep } from '../search/search.ts'
import type { CellKey, CellRecord, StepRecord } from './record.ts'

/** Told of a run as it goes; `terminal-progress.ts` shows it. */
export interface Progress {
  /** Of servers that start, and what else is no step. */
  note(line: string): void
  cellStarts(cell: CellKey): void
  stepStarts(cell: CellKey, step: PlannedStep): void
  stage(stage: 'starting' | 'load' | 'draining'): void
  tick(tick: Tick): void
  stepEnds(record: StepRecord): void
  /** Also of those that were done before, in a run that is resumed. */
  cellEnds(record: CellRecord, left: CellsLeft): void
}

export interface CellsLeft {
  readonly done: number
  readonly cells: number
  readonly leftMs: number
}

export const SILENT: Progress = {
  note() {},
  cellStarts() {},
  stepStarts() {},
  stage() {},
  tick() {},
  stepEnds() {},
  cellEnds() {},
}
