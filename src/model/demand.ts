/** What a fleet will ask of Weir: what a capacity plan is made for. */
export interface Demand {
  readonly devices: number
  /** Messages a second of each device; every one has a value of each metric. */
  readonly samplesPerSecond: number
  readonly metrics: number
  readonly retentionDays: number
  /** Of all readers together. */
  readonly queriesPerSecond: number
  /** Busiest time ÷ mean, of samples and queries. */
  readonly peakFactor: number
  /** Copies of the points that are kept, each on a disk of its own. */
  readonly replicas: number
  /** Of a message on the wire, with its headers; absent: the usual 100 bytes a point. */
  readonly payloadBytes?: number
}

export interface DemandField {
  readonly minimum: number
  readonly maximum: number
  readonly isWhole: boolean
  /** Absent: it has to be given, or (`payloadBytes`) need not be. */
  readonly default?: number
  readonly meaning: string
}

/** Bounds that no real fleet reaches, so that no figure of a plan is beyond what a number can hold. */
export const DEMAND_FIELDS: Readonly<Record<keyof Demand, DemandField>> = {
  devices: { minimum: 1, maximum: 100_000_000, isWhole: true, meaning: 'Devices that send' },
  samplesPerSecond: {
    ...{ minimum: 0.000_001, maximum: 100_000, isWhole: false, default: 1 },
    meaning: 'Messages a second of each device, every one with a value of each metric',
  },
  metrics: {
    ...{ minimum: 1, maximum: 10_000, isWhole: true, default: 1 },
    meaning: 'Metrics of each device',
  },
  retentionDays: {
    ...{ minimum: 0.01, maximum: 36_500, isWhole: false, default: 90 },
    meaning: 'How long points are kept, in days',
  },
  queriesPerSecond: {
    ...{ minimum: 0, maximum: 100_000_000, isWhole: false, default: 0 },
    meaning: 'Queries a second of all readers together',
  },
  peakFactor: {
    ...{ minimum: 1, maximum: 1000, isWhole: false, default: 1 },
    meaning: 'The busiest time is so many times the mean',
  },
  replicas: {
    ...{ minimum: 1, maximum: 10, isWhole: true, default: 1 },
    meaning: 'Copies of the points that are kept',
  },
  payloadBytes: {
    ...{ minimum: 1, maximum: 100_000_000, isWhole: true },
    meaning: 'Bytes of a message on the wire, with its headers; absent: 100 for each point',
  },
}

const OPTIONAL = new Set<keyof Demand>(['payloadBytes'])

export type DemandInput = { readonly [K in keyof Demand]?: number | undefined }

export interface DemandProblem {
  readonly field: keyof Demand
  readonly detail: string
}

/** With the defaults of what is not given, or all that is wrong with it. */
export function completeDemand(
  input: DemandInput,
): { readonly demand: Demand } | { readonly problems: readonly DemandProblem[] } {
  const names = Object.keys(DEMAND_FIELDS) as (keyof Demand)[]
  const problems: DemandProblem[] = []
  const values: Partial<Record<keyof Demand, number>> = {}
  for (const field of names) {
    const value = input[field] ?? DEMAND_FIELDS[field].default
    const detail = value === undefined ? absence(field) : faultOf(value, DEMAND_FIELDS[field])
    if (detail !== undefined) problems.push({ field, detail })
    else if (value !== undefined) values[field] = value
  }
  return problems.length > 0 ? { problems } : { demand: values as unknown as Demand }
}

const absence = (field: keyof Demand): string | undefined =>
  OPTIONAL.has(field) ? undefined : 'is missing'

function faultOf(value: number, { minimum, maximum, isWhole }: DemandField): string | undefined {
  if (value >= minimum && value <= maximum && (!isWhole || Number.isInteger(value)))
    return undefined
  const kind = isWhole ? 'a whole number' : 'a number'
  return `must be ${kind} from ${minimum} to ${maximum}, not ${value}`
}
