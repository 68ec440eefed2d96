import { searchMaxRate } from '../search/max-rate.ts'
import type { PlannedStep, SearchResult } from '../search/search.ts'
import type { StepParts } from './parts.ts'
import { answerOf } from './pilot.ts'
import type { Progress } from './progress.ts'
import type { CellRecord, StepRecord } from './record.ts'
import { StepRunner, type StepContext } from './step-runner.ts'

export interface CellOptions extends Omit<StepContext, 'onTick' | 'onStage'> {
  /** Steps of this cell that ran before it was stopped, in their order. */
  readonly before: readonly StepRecord[]
  readonly progress: Progress
  readonly append: (record: StepRecord) => void
}

/**
 * Searches the highest rate of one cell, step by step. What ran before the run was stopped is not run
 * again: the search is pure, so that the same answers lead it to the same place. Undefined: stopped.
 */
export async function runCell(
  parts: StepParts,
  options: CellOptions,
): Promise<CellRecord | undefined> {
  const { cell, phases, progress, append, signal } = options
  const runner = new StepRunner(parts, {
    ...options,
    onTick: tick => progress.tick(tick),
    onStage: stage => progress.stage(stage),
  })
  const before = [...options.before]
  const search = searchMaxRate(phases)
  try {
    for (let next = search.next(); ;) {
      if (next.done === true) return record(cell, next.value)
      let step = takeBefore(before, next.value)
      if (step === undefined) {
        if (signal.aborted) return undefined
        progress.stepStarts(cell, next.value)
        step = await runner.run(next.value)
        // It was cut short, which is nobody's fault but ours.
        if (signal.aborted) return undefined
        append(step)
      }
      progress.stepEnds(step)
      next = search.next(answerOf(step, phases))
    }
  } finally {
    await runner.close()
  }
}

/** The next step of before, if it is the one that is wanted; otherwise none of them counts. */
function takeBefore(before: StepRecord[], wanted: PlannedStep): StepRecord | undefined {
  const [first] = before
  if (first === undefined) return undefined
  const isIt =
    first.phase === wanted.phase &&
    first.attempt === wanted.attempt &&
    (first.phase === 'pilot' || first.rate === wanted.rates[0])
  if (isIt) return before.shift()
  before.length = 0
  return undefined
}

function record(cell: CellRecord['cell'], result: SearchResult): CellRecord {
  return { kind: 'cell', cell, endedAt: new Date().toISOString(), ...result }
}
