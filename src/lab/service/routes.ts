import { WeirError } from '../../ports/errors.ts'
import type { BenchmarkName, RunRecord } from './benchmark.ts'
import { benchmarkOf } from './benchmark-request.ts'
import type { BenchmarkRunner } from './benchmark-runner.ts'
import { json, type Answer, type Asked, type Route } from './http-server.ts'
import { markdownTable } from './markdown-table.ts'
import { openApi } from './openapi.ts'
import { PAGE, PAGE_POLICY } from './page.ts'
import type { ResultBook } from './result-book.ts'

export interface RouteServices {
  readonly runner: BenchmarkRunner
  readonly book: ResultBook
  readonly target: string
  readonly version: string
}

const BENCHMARKS: readonly BenchmarkName[] = [
  'baseline-suite',
  'throughput-ceiling',
  'run-benchmark',
]

export function benchmarkRoutes(services: RouteServices): Route[] {
  const { runner, book, target, version } = services
  return [
    ...BENCHMARKS.map((name): Route => ({
      ...{ method: 'POST', path: `/${name}`, query: ['wait'] },
      handle: asked => start(services, name, asked),
    })),
    {
      ...{ method: 'POST', path: '/stop-benchmark' },
      async handle() {
        const run = await runner.stop()
        if (run === undefined) throw new WeirError('conflict', 'no benchmark runs')
        return json(200, ended(run, book))
      },
    },
    {
      ...{ method: 'GET', path: '/benchmark-status' },
      handle: () => json(200, runner.status),
    },
    {
      ...{ method: 'GET', path: '/benchmark-results', query: ['limit', 'run_id'] },
      handle: ({ query }) => json(200, resultsOf(book, query)),
    },
    {
      ...{ method: 'GET', path: '/benchmark-markdown-raw', query: ['limit', 'run_id'] },
      handle({ query }) {
        const body = markdownTable(resultsOf(book, query).results)
        return { status: 200, contentType: 'text/plain; charset=utf-8', body }
      },
    },
    {
      ...{ method: 'GET', path: '/health' },
      handle: () => json(200, { status: 'ok', version, target }),
    },
    {
      ...{ method: 'GET', path: '/openapi.json' },
      handle: () => json(200, openApi(version)),
    },
    {
      ...{ method: 'GET', path: '/' },
      handle: () => ({
        ...{ status: 200, contentType: 'text/html; charset=utf-8', body: PAGE },
        headers: { 'content-security-policy': PAGE_POLICY },
      }),
    },
  ]
}

async function start(
  { runner, book }: RouteServices,
  name: BenchmarkName,
  { query, body }: Asked,
): Promise<Answer> {
  const waits = flag(query, 'wait')
  const benchmark = benchmarkOf(name, body)
  const run = runner.start(benchmark)
  if (waits) return json(200, ended(await run.ended, book))
  const { plannedMs, plannedTests } = benchmark
  return json(202, {
    status: 'started',
    run_id: run.runId,
    benchmark: name,
    tests: plannedTests ?? null,
    planned_s: plannedMs === undefined ? null : plannedMs / 1000,
  })
}

function ended(run: RunRecord, book: ResultBook): object {
  const results = book.tests.filter(({ run_id }) => run_id === run.run_id)
  return { ...run, results }
}

function resultsOf(book: ResultBook, query: URLSearchParams) {
  const runId = query.get('run_id')
  const limit = query.get('limit')
  if (limit !== null && !/^[1-9]\d{0,8}$/.test(limit)) {
    throw new WeirError('rejected', `limit must be a whole number from 1, not "${limit}"`)
  }
  const isAsked = (of: { readonly run_id: string }): boolean =>
    runId === null || of.run_id === runId
  const results = book.tests.filter(isAsked)
  const runs = book.runs.filter(isAsked)
  return { results: limit === null ? results : results.slice(-Number(limit)), runs }
}

function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  if (value === null || value === 'false' || value === '0') return false
  if (value === 'true' || value === '1' || value === '') return true
  throw new WeirError('rejected', `${name} must be true or false, not "${value}"`)
}
