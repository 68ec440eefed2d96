import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { formatProblems, type Problem } from '../../config/problem.ts'
import { parseQuantity } from '../../config/units.ts'
import { completeDemand, DEMAND_FIELDS, type Demand, type DemandInput } from '../../model/demand.ts'
import { planCapacity } from '../../plan/capacity.ts'
import { planJson } from '../../plan/plan-json.ts'
import { WeirError } from '../../ports/errors.ts'
import { readArguments, type Arguments } from '../arguments.ts'
import type { CommandIo } from '../command.ts'
import { commands } from '../commands.ts'
import { exitCode } from '../exit-code.ts'
import { planText } from '../plan-text.ts'

const DAY_MS = 86_400_000

const FLAGS: Readonly<Record<keyof Demand, string>> = {
  devices: 'devices',
  samplesPerSecond: 'rate',
  metrics: 'metrics',
  retentionDays: 'retention',
  queriesPerSecond: 'queries-per-second',
  peakFactor: 'peak',
  replicas: 'replicas',
  payloadBytes: 'payload',
}

/** `weir plan`: what a fleet needs, by rule of thumb and as the lab measured it. */
export async function plan(args: readonly string[], io: CommandIo): Promise<number> {
  const command = commands.find(({ name }) => name === 'plan')!
  const { own, problems } = readArguments(command, args)
  const read = readDemand(own)
  const all = [...problems, ...('problems' in read ? read.problems : [])]
  if (own.has('save') && !own.has('from')) {
    all.push({ path: '', source: '--save', message: 'needs --from, whose figures it is to keep' })
  }
  if (all.length > 0 || 'problems' in read) {
    io.stderr.write(`${formatProblems(all)}\n`)
    return exitCode('usage')
  }
  try {
    const calibration = await calibrationOf(own, io)
    const capacity = planCapacity(read.demand, calibration)
    const text = own.has('json')
      ? `${JSON.stringify(planJson(capacity), null, 2)}\n`
      : planText(capacity)
    io.stdout.write(text)
    return exitCode('ok')
  } catch (error) {
    if (!(error instanceof WeirError)) throw error
    io.stderr.write(`weir plan: ${error.message}\n`)
    return exitCode('usage')
  }
}

async function calibrationOf(own: Arguments['own'], io: CommandIo) {
  const [from, save] = [own.get('from'), own.get('save')]
  if (typeof from !== 'string') return undefined
  const { readCalibration } = await import('../../lab/analysis/calibration-file.ts')
  const calibration = await readCalibration(resolve(io.cwd, from))
  if (typeof save !== 'string') return calibration
  try {
    writeFileSync(resolve(io.cwd, save), `${JSON.stringify(calibration, null, 2)}\n`)
  } catch (error) {
    throw new WeirError('config', `--save: ${(error as Error).message}`, { cause: error })
  }
  return calibration
}

function readDemand(
  own: Arguments['own'],
): { readonly demand: Demand } | { readonly problems: readonly Problem[] } {
  const input: Partial<Record<keyof Demand, number>> = {}
  const problems: Problem[] = []
  for (const [field, flag] of Object.entries(FLAGS) as [keyof Demand, string][]) {
    const text = own.get(flag)
    if (typeof text !== 'string') continue
    const value = valueOf(field, text)
    if (value !== undefined) input[field] = value
    else {
      // Stands in, so that the rest is checked too and this is not called missing.
      input[field] = DEMAND_FIELDS[field].minimum
      problems.push({
        path: '',
        source: `--${flag}`,
        message: `"${text}" ${EXPECTED[field] ?? 'is no number'}`,
      })
    }
  }
  const completed = completeDemand(input as DemandInput)
  if (!('problems' in completed)) return problems.length > 0 ? { problems } : completed
  for (const { field, detail } of completed.problems) {
    const unit = field === 'retentionDays' ? ' (in days)' : ''
    problems.push({ path: '', source: `--${FLAGS[field]}`, message: detail + unit })
  }
  return { problems }
}

const EXPECTED: Partial<Record<keyof Demand, string>> = {
  retentionDays: 'is no duration such as 90d or 12h',
  payloadBytes: 'is no size such as 250 or 1KB',
}

/** Numbers as people write them: `10/s`, `90d`, `1KB`. */
function valueOf(field: keyof Demand, text: string): number | undefined {
  if (field === 'payloadBytes') return parseQuantity(text, 'bytes')
  if (field === 'retentionDays' && /[a-z]$/i.test(text)) {
    const ms = parseQuantity(text, 'ms')
    return ms === undefined ? undefined : ms / DAY_MS
  }
  const digits = text
    .trim()
    .replace(/\/s$/, '')
    .replaceAll(/(?<=\d)[_,](?=\d{3})/g, '')
  return /^-?\d*\.?\d+(e[+-]?\d+)?$/i.test(digits) ? Number(digits) : undefined
}
