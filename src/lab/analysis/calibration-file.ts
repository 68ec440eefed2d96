import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Calibration, Cost, SolutionFigures } from '../../plan/calibration.ts'
import { WeirError } from '../../ports/errors.ts'
import type { LabRecord } from '../run/record.ts'
import { calibrationOf } from './calibration.ts'

/** What a calibration needs of a result file, whose pilots and bisections are most of its bytes. */
const NEEDED = /"kind":"(run|cell)"|"phase":"confirm"/

/**
 * The calibration of a lab result: of its folder, its `results.ndjson`, or a file that
 * `weir plan --save` wrote. A line is read at a time.
 *
 * @throws WeirError `config` with what is wrong with it.
 */
export async function readCalibration(path: string): Promise<Calibration> {
  try {
    const file = (await stat(path)).isDirectory() ? join(path, 'results.ndjson') : path
    // A saved one may have any name.
    if (!file.endsWith('.ndjson')) return savedCalibration(path, await readFile(file, 'utf8'))
    const calibration = calibrationOf(await neededRecords(file))
    if (calibration !== undefined) return calibration
  } catch (error) {
    if (error instanceof WeirError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such lab result' : message
    throw new WeirError('config', `${path}: ${why}`, { cause: error })
  }
  throw new WeirError('config', `${path}: no rate was confirmed in this lab result`)
}

async function neededRecords(file: string): Promise<LabRecord[]> {
  const records: LabRecord[] = []
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity })
  for await (const line of lines) {
    if (!NEEDED.test(line)) continue
    const record = recordOf(line)
    if (record !== undefined) records.push(record)
  }
  return records
}

/** Undefined for what is no whole line: the last one of a run that was stopped in the midst of it. */
function recordOf(line: string): LabRecord | undefined {
  try {
    return withoutSeries(JSON.parse(line) as LabRecord)
  } catch {
    return undefined
  }
}

/** A confirmation has a sample a second of everything, and a plan needs none of them. */
function withoutSeries(record: LabRecord): LabRecord {
  if (record.kind !== 'step') return record
  const { load, probes } = record
  return {
    ...record,
    ...(load === undefined ? {} : { load: { ...load, ticks: [] } }),
    ...(probes === undefined ? {} : { probes: { ...probes, samples: [] } }),
  }
}

function savedCalibration(path: string, text: string): Calibration {
  const saved = JSON.parse(text) as Partial<Calibration>
  const { formatVersion, solutions, source, warnings } = saved
  const isWhole =
    formatVersion === 1 && source !== undefined && Array.isArray(warnings) && isListOf(solutions)
  if (isWhole) return saved as Calibration
  throw new WeirError('config', `${path}: this is no calibration that weir plan --save wrote`)
}

/** That a plan can be computed of each. */
function isListOf(solutions: unknown): boolean {
  const isCost = (cost: Partial<Cost> | undefined): boolean =>
    isNumber(cost?.perWrite) && isNumber(cost.perQuery)
  return (
    Array.isArray(solutions) &&
    (solutions as Partial<SolutionFigures>[]).every(
      ({ share, cpuSeconds, pointsPerWrite, memoryBytes, fitError, flags }) =>
        isCost(share) &&
        [pointsPerWrite, memoryBytes, fitError].every(isNumber) &&
        Array.isArray(flags) &&
        Object.values(cpuSeconds ?? {}).every(isCost),
    )
  )
}

const isNumber = (value: unknown): value is number => Number.isFinite(value) && Number(value) >= 0
