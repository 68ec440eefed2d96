import Type from 'typebox'
import { DEMAND_FIELDS, type Demand, type DemandInput } from '../../model/demand.ts'
import type { HttpApp } from '../app.ts'
import { responses } from '../openapi.ts'
import { isoTimeSchema, nullable } from '../schemas.ts'
import type { HttpServices } from '../services.ts'

const figure = Type.Number({ minimum: 0 })
const text = Type.String()

function field(name: keyof Demand) {
  const { isWhole, minimum, maximum, default: value, meaning } = DEMAND_FIELDS[name]
  const without = value === undefined ? {} : { default: value }
  const options = { minimum, maximum, description: meaning, ...without }
  return isWhole ? Type.Integer(options) : Type.Number(options)
}

const demandFields = {
  devices: field('devices'),
  samples_per_second: Type.Optional(field('samplesPerSecond')),
  metrics: Type.Optional(field('metrics')),
  retention_days: Type.Optional(field('retentionDays')),
  queries_per_second: Type.Optional(field('queriesPerSecond')),
  peak_factor: Type.Optional(field('peakFactor')),
  replicas: Type.Optional(field('replicas')),
  payload_bytes: Type.Optional(nullable(field('payloadBytes'))),
}

const resources = {
  cores: Type.Integer({ minimum: 1 }),
  memory_bytes: figure,
  disk_bytes: Type.Number({ minimum: 0, description: 'For all of the retention, all copies' }),
  network_bits_per_second: Type.Number({ minimum: 0, description: 'Of what comes in' }),
  stored_bytes_per_day: Type.Number({ minimum: 0, description: 'What a day adds, one copy' }),
}

const ratesSchema = Type.Object({
  messages_per_second: figure,
  points_per_second: figure,
  queries_per_second: figure,
})

const measured = {
  solution: Type.String({ description: 'Its name in the lab' }),
  topology: text,
  flags: Type.Array(text),
  holds: Type.Boolean({ description: 'Whether it held what is planned for on that machine' }),
  extrapolation: Type.Number({
    minimum: 0,
    description: 'What is planned for ÷ the most that was measured, of the same mix',
  }),
  confidence: Type.Enum(['measured', 'extrapolated', 'uncertain', 'guess'], {
    description: 'By the extrapolation: up to 1, up to 2, up to 10, beyond',
  }),
  max_rates: ratesSchema,
  ...resources,
  cores_by_role: Type.Record(Type.String(), figure),
  bytes_per_point: figure,
  cpu_microseconds_per_point: figure,
  cpu_microseconds_per_query: figure,
  warnings: Type.Array(text),
}

const calibrationSchema = Type.Object({
  run: text,
  started_at: isoTimeSchema,
  command: text,
  commit: text,
  cpu: text,
  cores: Type.Integer(),
  memory_bytes: figure,
  kernel: text,
  node: text,
  is_quick: Type.Boolean(),
  blocks: Type.Integer(),
})

const planSchema = Type.Object({
  demand: Type.Object(
    Object.fromEntries(Object.keys(demandFields).map(name => [name, nullable(Type.Number())])),
    { description: 'What was asked, with the defaults' },
  ),
  rates: Type.Object({
    mean: ratesSchema,
    peak: ratesSchema,
    planned_for: Type.Object(ratesSchema.properties, { description: 'Twice the peak' }),
    points_per_day: figure,
    points_kept: figure,
  }),
  phase: Type.Enum(['pilot', 'production', 'scale', 'enterprise']),
  topology: text,
  ...resources,
  advice: Type.String({ description: 'All of it in a sentence' }),
  classic: Type.Object(
    {
      ...resources,
      summary: text,
      with_headroom: Type.Object(resources, { description: 'At what is planned for' }),
      topology: text,
      reason: text,
    },
    { description: 'The rule of thumb, at the mean rate' },
  ),
  measured: nullable(Type.Object({ ...measured, reason: text })),
  candidates: Type.Array(Type.Object(measured)),
  calibration: nullable(calibrationSchema),
  warnings: Type.Array(Type.String(), { description: 'What is uncertain' }),
})

/** What a fleet would need. It is the same for every tenant, and reads nothing of any. */
export function capacityRoutes(app: HttpApp, { capacity }: HttpServices): void {
  const schema = {
    tags: ['capacity'],
    summary: 'Plan the capacity for a fleet',
    description:
      'Cores, memory, disk, network, phase and topology, with room for twice the expected peak: by ' +
      'the classic rule of thumb, and next to it as the lab measured it where `plan.calibration` ' +
      'names its result.',
    body: Type.Object(demandFields, { additionalProperties: false }),
    response: responses({ 200: planSchema }, [400, 413, 415, 503]),
  }
  app.post('/api/v1/capacity', { schema, config: { scope: 'read' } }, async request => {
    const { body } = request
    const input: DemandInput = {
      devices: body.devices,
      samplesPerSecond: body.samples_per_second,
      metrics: body.metrics,
      retentionDays: body.retention_days,
      queriesPerSecond: body.queries_per_second,
      peakFactor: body.peak_factor,
      replicas: body.replicas,
      payloadBytes: body.payload_bytes ?? undefined,
    }
    return capacity.plan(input)
  })
}
