import type { LoadResult } from '../generator/load.ts'
import type { ProbeFigures } from '../probes/figures.ts'
import type { CellRecord, LabRecord, RunRecord, StepRecord } from '../run/record.ts'
import { WeirError } from '../../ports/errors.ts'

/** A step of which everything was measured. */
export interface MeasuredStep extends StepRecord {
  readonly load: LoadResult
  readonly probes: ProbeFigures
}

/** One solution under one profile in one block, as far as it was done. */
export interface BlockCell {
  readonly block: number
  readonly solution: string
  readonly profile: string
  readonly steps: readonly StepRecord[]
  /** Its end; absent: the run was over before. */
  readonly end?: CellRecord
  /** The step that confirmed its rate, without which it has no result. */
  readonly confirm?: MeasuredStep
}

/** One solution under one profile, over all blocks. */
export interface Cell {
  readonly solution: string
  readonly profile: string
  /** In the order of the blocks, every block of the run. */
  readonly blocks: readonly BlockCell[]
  /** Those with a result. */
  readonly results: readonly ResultCell[]
  /** Why blocks have none, a sentence each; empty: all have one. */
  readonly missing: readonly string[]
}

export interface ResultCell extends BlockCell {
  readonly end: CellRecord
  readonly confirm: MeasuredStep
}

/** What a result file holds, put in order. */
export interface ResultSet {
  readonly run: RunRecord
  /** Times that the run was started: 2 means it was resumed once. */
  readonly starts: number
  /** By profile, then by solution, in the order of the run; none left out. */
  readonly cells: readonly Cell[]
}

/**
 * @throws WeirError `rejected` where there is no run in them, or one of another format.
 */
export function resultSet(records: readonly LabRecord[]): ResultSet {
  const runs = records.filter(record => record.kind === 'run')
  if (runs.length === 0) throw new WeirError('rejected', 'the results name no run')
  // One that was resumed with more blocks says so in its last.
  const run = { ...runs[runs.length - 1], startedAt: runs[0].startedAt }
  if (run.formatVersion !== 1) {
    const version = String(run.formatVersion)
    throw new WeirError('rejected', `results of format ${version}; this Weir reads format 1`)
  }
  const byKey = groupByKey(records)
  const blocks = Array.from({ length: run.blocks }, (_, i) => i)
  const base = firstBlock(records)
  const cells = run.profiles.flatMap(profile =>
    run.solutions.map(({ id }) =>
      cellOf(blocks.map(i => blockCell({ block: base + i, solution: id, profile }, byKey))),
    ),
  )
  return { run, starts: runs.length, cells }
}

export function findCell(set: ResultSet, solution: string, profile: string): Cell | undefined {
  return set.cells.find(cell => cell.solution === solution && cell.profile === profile)
}

/** Of the blocks with a result the one in the middle by rate; of an even number the lower one. */
export function middleResult({ results }: Cell): ResultCell | undefined {
  const sorted = results.toSorted((a, b) => a.end.maxRate - b.end.maxRate)
  return sorted[(sorted.length - 1) >> 1]
}

interface Key {
  readonly block: number
  readonly solution: string
  readonly profile: string
}

const textOf = ({ block, solution, profile }: Key): string =>
  JSON.stringify([block, solution, profile])

interface Group {
  steps: StepRecord[]
  end?: CellRecord
}

/**
 * A cell that was repeated has two ends: the last counts, with the steps since the one before. What
 * a repetition has done that did not come to its end does not count.
 */
function groupByKey(records: readonly LabRecord[]): ReadonlyMap<string, Group> {
  const ended = new Map<string, Group>()
  const open = new Map<string, StepRecord[]>()
  for (const record of records) {
    if (record.kind === 'run') continue
    const key = textOf(record.cell)
    const steps = open.get(key) ?? []
    if (record.kind === 'step') open.set(key, [...steps, record])
    else {
      ended.set(key, { steps, end: record })
      open.delete(key)
    }
  }
  for (const [key, steps] of open) if (!ended.has(key)) ended.set(key, { steps })
  return ended
}

/** Blocks are numbered from 0 or 1; what is there says which. */
function firstBlock(records: readonly LabRecord[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const record of records) {
    if (record.kind !== 'run') least = Math.min(least, record.cell.block)
  }
  return Math.min(1, Number.isFinite(least) ? least : 1)
}

function blockCell(key: Key, groups: ReadonlyMap<string, Group>): BlockCell {
  const { steps = [], end } = groups.get(textOf(key)) ?? {}
  const cell: BlockCell = { ...key, steps }
  if (end === undefined) return cell
  const confirm = confirmation(steps, end)
  return confirm === undefined ? { ...cell, end } : { ...cell, end, confirm }
}

/** The last that passed, at the rate of the cell where there are several. */
function confirmation(steps: readonly StepRecord[], end: CellRecord): MeasuredStep | undefined {
  const passed = steps.filter(
    step => step.phase === 'confirm' && step.verdict.outcome === 'pass' && isMeasured(step),
  )
  return (passed.findLast(step => step.rate === end.maxRate) ?? passed.at(-1)) as
    MeasuredStep | undefined
}

export function isMeasured(step: StepRecord): step is MeasuredStep {
  return step.load !== undefined && step.probes !== undefined
}

function cellOf(blocks: readonly BlockCell[]): Cell {
  const [{ solution, profile }] = blocks
  const results = blocks.filter(hasResult)
  return { solution, profile, blocks, results, missing: reasonsOf(blocks) }
}

/** Blocks that miss a result for the same reason are told of together. */
function reasonsOf(blocks: readonly BlockCell[]): string[] {
  const byReason = new Map<string, number[]>()
  for (const block of blocks) {
    if (hasResult(block)) continue
    const reason = reasonOf(block)
    byReason.set(reason, [...(byReason.get(reason) ?? []), block.block])
  }
  return [...byReason].map(
    ([reason, of]) => `block${of.length === 1 ? '' : 's'} ${of.join(', ')}: ${reason}`,
  )
}

function hasResult(cell: BlockCell): cell is ResultCell {
  return (
    cell.end !== undefined &&
    cell.end.problem === undefined &&
    cell.end.maxRate > 0 &&
    cell.confirm !== undefined
  )
}

function reasonOf({ steps, end }: BlockCell): string {
  const invalid = steps.findLast(step => step.verdict.outcome === 'invalid')
  if (end === undefined) {
    return steps.length === 0
      ? 'not run, the run ended before'
      : `not finished, the run ended after ${steps.length} of its steps`
  }
  if (end.problem !== undefined) return end.problem
  if (invalid !== undefined) {
    const details = invalid.verdict.breaches.map(({ detail }) => detail)
    return `invalid, ${details.join('; ') || 'the ledger does not balance'}`
  }
  if (end.maxRate <= 0) {
    const details = end.limit.map(({ detail }) => detail)
    return `not even the lowest rate held: ${details.join('; ') || 'no reason recorded'}`
  }
  return `a rate was found (${end.maxRate}/s) and not confirmed`
}
