import { options, variableOf } from './option.ts'
import type { Option } from './option.ts'
import type { Problem } from './problem.ts'
import { suggestion } from './suggestion.ts'
import type { Given } from './value.ts'

/** What one source says: values by option, and what could not be understood. */
export interface Layer {
  readonly given: readonly Given[]
  readonly problems: readonly Problem[]
}

/** A flag as the command line had it; `flag` is without its dashes. */
export interface FlagGiven {
  readonly flag: string
  /** Absent: it stood alone, which only a yes-or-no option may. */
  readonly value?: string
}

const byFlag = new Map(options.flatMap(option => option.flags.map(flag => [flag, option])))
const byVariable = new Map(
  options.flatMap(option => option.variables.map(variable => [variable, option])),
)

/** Read elsewhere: by the loader, and by this repository's own tests and benchmarks. */
const OTHER_VARIABLES = /^WEIR_(TOPOLOGY$|SEED$|TEST_|BENCH_)/
/** What Kubernetes sets in every container for a service named `weir…`. */
const SERVICE_LINK_NAME = /_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP)(_|$)/
const SERVICE_LINK_VALUE = /^(tcp|udp|sctp):\/\//

export function findFlag(flag: string): Option | undefined {
  return byFlag.get(flag)
}

export function flagNames(): Iterable<string> {
  return byFlag.keys()
}

export function readFlags(flags: readonly FlagGiven[]): Layer {
  const given: Given[] = []
  const problems: Problem[] = []
  for (const { flag, value } of flags) {
    const option = byFlag.get(flag)
    if (option === undefined) throw new Error(`--${flag} is no configuration flag`)
    const { path, node } = option
    const source = `--${flag}`
    if (value !== undefined) given.push({ path, source, value, isText: true })
    else if (node.type === 'boolean') given.push({ path, source, value: true, isText: true })
    else problems.push({ path, source, message: 'needs a value', hint: `${source}=VALUE` })
  }
  return { given, problems }
}

export function readVariables(env: Readonly<Record<string, string | undefined>>): Layer {
  const given = new Map<string, Given>()
  const problems: Problem[] = []
  for (const [source, value] of Object.entries(env)) {
    // Set to nothing means not set: that is what an empty line in a compose file gives.
    if (!source.startsWith('WEIR_') || value === undefined || value === '') continue
    if (OTHER_VARIABLES.test(source)) continue
    const option = byVariable.get(source)
    if (option === undefined) {
      const isServiceLink = SERVICE_LINK_NAME.test(source) || SERVICE_LINK_VALUE.test(value)
      if (!isServiceLink) problems.push(unknownVariable(source))
      continue
    }
    const other = given.get(option.path)
    if (other !== undefined && other.value !== value) {
      const message = `is also set by ${other.source}, to something else`
      problems.push({ path: option.path, source, message })
    }
    given.set(option.path, { path: option.path, source, value, isText: true })
  }
  return { given: [...given.values()], problems }
}

function unknownVariable(source: string): Problem {
  const meant = suggestion(source, byVariable.keys())
  const hint =
    meant === undefined
      ? `Variables are named as in ${variableOf('ingest.maxBodyBytes')}`
      : `Did you mean ${meant}?`
  return { path: '', source, message: 'no such option', hint }
}
