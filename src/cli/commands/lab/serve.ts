import { once } from 'node:events'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { version } from '../../../compose/version.ts'
import { formatAddress, isLoopback, parseAddress, type Address } from '../../../config/address.ts'
import type { CommandIo } from '../../command.ts'
import { exitCode } from '../../exit-code.ts'
import { codeOfStartError } from '../../start-error.ts'
import { UsageError } from '../../transfer-run.ts'

const OPTIONS = {
  http: { type: 'string', default: '127.0.0.1:8002' },
  target: { type: 'string', default: 'http://127.0.0.1:8080' },
  key: { type: 'string' },
  results: { type: 'string', default: 'weir-benchmarks.ndjson' },
  keep: { type: 'string', default: '1000' },
  insecure: { type: 'boolean', default: false },
} as const

export const HELP = `weir lab serve: the benchmark service of the streaming platform API

  --http HOST:PORT   where it listens (127.0.0.1:8002)
  --target URL       the Weir that it measures (http://127.0.0.1:8080)
  --key KEY          a key of the target with the scope ingest (WEIR_KEY)
  --results FILE     where results are kept (weir-benchmarks.ndjson)
  --keep N           how many results are kept (1000)
  --insecure         allow listening beyond this machine: whoever reaches it may start a load

Everything it answers, and a page for people: docs/guides/benchmark-service.md
`

interface ServeOptions {
  readonly address: Address
  readonly target: string
  readonly key: string | undefined
  readonly resultFile: string
  readonly keep: number
  readonly insecure: boolean
}

/** `weir lab serve`: runs until SIGINT or SIGTERM; a benchmark that runs then is ended, and kept. */
export async function labServe(args: readonly string[], io: CommandIo): Promise<number> {
  const signal = new AbortController()
  const stop = (): void => signal.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    const { address, target, insecure, ...rest } = optionsOf(args, io)
    const [{ startBenchmarkService }, { startLoad }, { judge }] = await Promise.all([
      import('../../../lab/service/benchmark-service.ts'),
      import('../../../lab/generator/generator.ts'),
      import('../../../lab/search/verdict.ts'),
    ])
    const service = await startBenchmarkService({
      ...{ ...address, ...rest, target, version, startLoad, judge },
      anyHost: insecure,
      report: line => void io.stderr.write(`${line}\n`),
    })
    const url = `http://${formatAddress({ ...address, port: service.port })}`
    io.stdout.write(`Benchmark service at ${url}/ · measures ${target}\n`)
    if (!signal.signal.aborted) await once(signal.signal, 'abort')
    await service.stop()
    return exitCode('ok')
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    io.stderr.write(`weir lab serve: ${(error as Error).message}\n`)
    return code
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

function optionsOf(args: readonly string[], io: CommandIo): ServeOptions {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const address = parseAddress(values.http)
  if (address === undefined) {
    throw new UsageError(`--http must be HOST:PORT, not "${values.http}"`)
  }
  if (!values.insecure && !isLoopback(address.host)) {
    throw new UsageError(
      `${values.http} can be reached from other machines, and no key is asked for:` +
        ' listen on 127.0.0.1, or say --insecure',
    )
  }
  if (!/^[1-9]\d{0,6}$/.test(values.keep)) {
    throw new UsageError(`--keep must be a whole number of at least 1, not "${values.keep}"`)
  }
  return {
    address,
    target: targetOf(values.target),
    key: values.key ?? io.env['WEIR_KEY'],
    resultFile: resolve(io.cwd, values.results),
    keep: Number(values.keep),
    insecure: values.insecure,
  }
}

function targetOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' || url.pathname !== '/' || url.search !== '') {
    throw new UsageError(`--target must be http://HOST:PORT, not "${text}"`)
  }
  return url.origin
}

function codeOf(error: unknown): number | undefined {
  const { name, code } = error as NodeJS.ErrnoException
  if (name === 'UsageError' || code?.startsWith('ERR_PARSE_ARGS') === true) return exitCode('usage')
  return codeOfStartError(error)
}
