import type { CapacityPlan } from '../plan/capacity.ts'
import type { Resources } from '../plan/classic.ts'
import type { MeasuredPlan } from '../plan/measured.ts'
import { grouped, quantity } from '../plan/quantity.ts'
import { HEADROOM } from '../plan/rates.ts'

/** A plan for a person: what comes, what it needs by each way of knowing, and what to do. */
export function planText(plan: CapacityPlan): string {
  return [
    ...demandLines(plan),
    '',
    ...resourceLines(plan),
    '',
    ...(plan.candidates.length === 0 ? [] : [...candidateLines(plan.candidates), '']),
    plan.advice,
    ...(plan.source === undefined ? [] : ['', ...sourceLines(plan)]),
    ...(plan.warnings.length === 0 ? [] : ['', ...plan.warnings.map(warning => `! ${warning}`)]),
    '',
  ].join('\n')
}

function demandLines({ demand, rates, phase }: CapacityPlan): string[] {
  const { devices, samplesPerSecond, metrics, retentionDays, replicas } = demand
  const copies = replicas === 1 ? '' : `, ${replicas} copies`
  const rows = [
    [
      'demand',
      `${counted(devices, 'device')} × ${counted(samplesPerSecond, 'message')} a second × ${counted(metrics, 'metric')}, kept for ${counted(retentionDays, 'day')}${copies}`,
    ],
    [
      'points',
      `${grouped(rates.mean.pointsPerSecond)} a second, ${grouped(rates.pointsPerDay)} a day, ${grouped(rates.pointsKept)} kept`,
    ],
    [
      'planned for',
      `${grouped(rates.design.pointsPerSecond)} points/s and ${grouped(rates.design.queriesPerSecond)} queries/s: ${HEADROOM} × the expected peak`,
    ],
    ['phase', phase],
  ]
  return aligned(rows, ['left', 'left'])
}

function resourceLines({ classic, measured }: CapacityPlan): string[] {
  const columns: readonly (readonly [string, Resources, string])[] = [
    ['classic formula', classic.atMean, classic.topology],
    [`the same, ${HEADROOM} × peak`, classic.atDesign, classic.topology],
    ...(measured === undefined
      ? []
      : [
          [
            `measured, ${HEADROOM} × peak`,
            measured.chosen.resources,
            measured.chosen.topology,
          ] as const,
        ]),
  ]
  const row = (name: string, cell: (resources: Resources) => string): string[] => [
    name,
    ...columns.map(([, resources]) => cell(resources)),
  ]
  const rows = [
    ['', ...columns.map(([head]) => head)],
    row('cores', ({ cores }) => String(cores)),
    row('memory', ({ memoryBytes }) => quantity(memoryBytes, 'B')),
    row('disk', ({ diskBytes }) => quantity(diskBytes, 'B')),
    row('disk a day', ({ storedBytesPerDay }) => quantity(storedBytesPerDay, 'B')),
    row('network', ({ networkBitsPerSecond }) => quantity(networkBitsPerSecond, 'bit/s')),
    ['topology', ...columns.map(([, , topology]) => topology)],
  ]
  return aligned(rows, ['left', ...columns.map(() => 'right' as const)])
}

function candidateLines(candidates: readonly MeasuredPlan[]): string[] {
  const rows = candidates.map(plan => {
    const { resources, maxRates } = plan
    return [
      plan.solution,
      plan.holds ? 'yes' : 'no',
      grouped(maxRates.messagesPerSecond),
      `${grouped(plan.extrapolation)} ×`,
      plan.confidence,
      String(resources.cores),
      quantity(resources.memoryBytes, 'B'),
      quantity(resources.diskBytes, 'B'),
    ]
  })
  const head = [
    'measured',
    'holds',
    'most messages/s',
    'planned for',
    '',
    'cores',
    'memory',
    'disk',
  ]
  return aligned(
    [head, ...rows],
    ['left', 'left', 'right', 'right', 'left', 'right', 'right', 'right'],
  )
}

function sourceLines({ source, measured }: CapacityPlan): string[] {
  if (source === undefined) return []
  const { run, startedAt, cpu, cores, memoryBytes, commit, blocks, isQuick } = source
  const kind = isQuick ? 'quick run' : 'run'
  const lines = [
    `Measured by lab ${kind} ${run} on ${startedAt.slice(0, 10)}, ${counted(blocks, 'block')}, commit ${commit.slice(0, 10)}:`,
    `${cpu}, ${cores} cores, ${quantity(memoryBytes, 'B')} of memory.`,
  ]
  if (measured === undefined) return lines
  const { cpuSecondsPerPoint, cpuSecondsPerQuery, bytesPerPoint, coresByRole } = measured.chosen
  const roles = Object.entries(coresByRole).map(([role, used]) => `${role} ${grouped(used)}`)
  return [
    ...lines,
    `There a point costs ${grouped(cpuSecondsPerPoint * 1e6)} µs of CPU and ${grouped(bytesPerPoint)} bytes of disk,` +
      ` a query ${grouped(cpuSecondsPerQuery * 1e6)} µs; cores by role: ${roles.join(', ')}.`,
  ]
}

const counted = (count: number, noun: string): string =>
  `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`

/** Columns as wide as their widest cell, two spaces apart. */
function aligned(
  rows: readonly (readonly string[])[],
  sides: readonly ('left' | 'right')[],
): string[] {
  const widths = sides.map((_, at) => Math.max(...rows.map(row => row[at].length)))
  return rows.map(row =>
    row
      .map((cell, at) =>
        sides[at] === 'left' ? cell.padEnd(widths[at]) : cell.padStart(widths[at]),
      )
      .join('  ')
      .trimEnd(),
  )
}
