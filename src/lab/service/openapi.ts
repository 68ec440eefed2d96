import type { BenchmarkName } from './benchmark.ts'
import { BENCHMARK_FIELDS } from './benchmark-request.ts'
import { NAME_PATTERN, type Field } from './fields.ts'

type Schema = Readonly<Record<string, unknown>>

const number: Schema = { type: 'number' }
const count: Schema = { type: 'integer', minimum: 0 }
const text: Schema = { type: 'string' }
const flag: Schema = { type: 'boolean' }
const time: Schema = { type: 'string', format: 'date-time' }
const list = (items: Schema): Schema => ({ type: 'array', items })
const oneOf = (...values: string[]): Schema => ({ type: 'string', enum: values })
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] })
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })

function object(properties: Readonly<Record<string, Schema>>, optional: string[] = []): Schema {
  const required = Object.keys(properties).filter(name => !optional.includes(name))
  return { type: 'object', additionalProperties: false, required, properties }
}

const benchmark = oneOf('baseline-suite', 'throughput-ceiling', 'run-benchmark')

const SCHEMAS: Readonly<Record<string, Schema>> = {
  Error: object({ error: text, status: { type: 'integer' } }),
  Result: object(
    {
      ...{ id: text, run_id: text, benchmark, test_type: text, started_at: time },
      ...{ target_rps: number, offered_rps: number, actual_rps: number },
      ...{ p50_latency_ms: orNull(number), p95_latency_ms: orNull(number) },
      ...{ p99_latency_ms: orNull(number), max_latency_ms: orNull(number) },
      error_rate: {
        ...{ type: 'number', minimum: 0, maximum: 1 },
        description: 'Errors, refusals and time-outs, as a share of all requests',
      },
      ...{ duration_s: number, requests: count, failures: count, timeouts: count },
      statuses: {
        ...{ type: 'object', additionalProperties: count },
        description: 'Answers by HTTP status; 0: the connection broke',
      },
      acknowledged: { ...count, description: 'Readings that the target has, warm-up too' },
      outcome: {
        ...oneOf('pass', 'fail', 'void', 'invalid'),
        description:
          'Whether the rate held. void: the generator itself was late, so the figures say nothing' +
          ' of the target',
      },
      ...{ breaches: list(text), stopped: flag },
      ...{ send_lag_p99_ms: number, generator_cpu_share: number, target: text },
      ...{ devices: count, connections: count, arrivals: text, seed: count, problem: text },
    },
    ['problem'],
  ),
  Run: object(
    {
      ...{ run_id: text, benchmark, started_at: time, ended_at: time },
      ...{ status: oneOf('done', 'stopped', 'failed'), tests: count },
      ceiling_rps: { ...number, description: 'The last rate that held; 0: not even the first' },
      limit: { ...list(text), description: 'What kept the next rate from holding' },
      problem: text,
    },
    ['ceiling_rps', 'limit', 'problem'],
  ),
}

const withResults: Schema = {
  ...SCHEMAS['Run'],
  properties: { ...(SCHEMAS['Run']?.['properties'] as object), results: list(ref('Result')) },
}

const started = object({
  ...{ status: oneOf('started'), run_id: text, benchmark },
  tests: orNull(count),
  planned_s: { ...orNull(number), description: 'null: it ends when a rate does not hold' },
})

const status = {
  anyOf: [
    object({ status: oneOf('idle'), last_run: orNull(ref('Run')) }),
    object({
      ...{ status: oneOf('running', 'stopping'), run_id: text, benchmark, started_at: time },
      ...{ test_type: orNull(text), test: count, tests: orNull(count) },
      phase: oneOf('starting', 'warming up', 'measuring'),
      ...{ target_rps: orNull(number), rate_rps: orNull(number), p99_latency_ms: orNull(number) },
      ...{ failures_rps: orNull(number), elapsed_s: number, left_s: orNull(number) },
      ...{ test_left_s: number, last_run: orNull(ref('Run')) },
    }),
  ],
}

const SUMMARIES: Readonly<Record<BenchmarkName, string>> = {
  'baseline-suite': 'Start 25, 100 and 250 requests/s, one after the other',
  'throughput-ceiling': 'Start rising rates, until one does not hold',
  'run-benchmark': 'Start one rate for one time',
}

const parameter = (name: string, schema: Schema, description: string): Schema => ({
  ...{ in: 'query', name, schema, description },
})
const SELECTION = [
  parameter('limit', { type: 'integer', minimum: 1 }, 'Only the newest so many results'),
  parameter('run_id', text, 'Only of this run'),
]

function response(description: string, schema: Schema, type = 'application/json'): Schema {
  return { description, content: { [type]: { schema } } }
}

/** An operation with its good answers, and with the errors of this API. */
function operation(summary: string, responses: Schema, more: Schema = {}): Schema {
  const errors = Object.fromEntries(
    [400, 403, 500].map(code => [code, response('Error', ref('Error'))]),
  )
  return { summary, ...more, responses: { ...responses, ...errors } }
}

/** The service's OpenAPI document. Fields of bodies are those that are checked. */
export function openApi(version: string): object {
  const starts = Object.entries(SUMMARIES).map(([name, summary]) => [
    `/${name}`,
    { post: startOperation(name as BenchmarkName, summary) },
  ])
  return {
    openapi: '3.1.0',
    info: { title: 'Weir: benchmark service', version },
    paths: {
      ...Object.fromEntries(starts),
      '/stop-benchmark': {
        post: operation('End the benchmark that runs; what it found is kept', {
          200: response('It has ended', withResults),
          409: response('None runs', ref('Error')),
        }),
      },
      ...READS,
    },
    components: { schemas: SCHEMAS },
  }
}

const READS: Readonly<Record<string, Schema>> = {
  '/benchmark-status': {
    get: operation('What runs now', { 200: response('Idle or running', status) }),
  },
  '/benchmark-results': {
    get: operation(
      'Results and runs, oldest first',
      {
        200: response(
          'Of all runs that are kept',
          object({ results: list(ref('Result')), runs: list(ref('Run')) }),
        ),
      },
      { parameters: SELECTION },
    ),
  },
  '/benchmark-markdown-raw': {
    get: operation(
      'The results as a Markdown table',
      { 200: response('Times are UTC', text, 'text/plain') },
      { parameters: SELECTION },
    ),
  },
  '/health': {
    get: operation('That the service runs', {
      200: response('It does', object({ status: oneOf('ok'), version: text, target: text })),
    }),
  },
}

function startOperation(name: BenchmarkName, summary: string): Schema {
  const properties = Object.fromEntries(
    Object.entries(BENCHMARK_FIELDS[name]).map(([field, how]) => [field, schemaOf(how)]),
  )
  const body = { type: 'object', additionalProperties: false, properties }
  return operation(
    summary,
    {
      200: response('With wait: it has ended', withResults),
      202: response('It runs', started),
      409: response('Another one runs', ref('Error')),
      413: response('The body is too large', ref('Error')),
    },
    {
      parameters: [parameter('wait', flag, 'Answer when it has ended, with its results')],
      requestBody: { required: false, content: { 'application/json': { schema: body } } },
    },
  )
}

function schemaOf(field: Field): Schema {
  const description = field.meaning
  const standard = field.default === undefined ? {} : { default: field.default }
  if (field.kind === 'choice') return { ...oneOf(...field.of), ...standard, description }
  if (field.kind === 'name') {
    return { type: 'string', pattern: NAME_PATTERN, ...standard, description }
  }
  const type = field.isWhole === true ? 'integer' : 'number'
  return { type, minimum: field.min, maximum: field.max, ...standard, description }
}
