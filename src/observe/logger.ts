import pino from 'pino'
import type { DestinationStream, Logger } from 'pino'
import { prettyLine } from './pretty-line.ts'

export type { Logger }

export interface LoggerOptions {
  readonly level: string
  /** `auto`: pretty lines on a terminal, else one JSON object a line. */
  readonly format: 'auto' | 'json' | 'pretty'
  /** Default: standard error, so that a command's own answer has standard output to itself. */
  readonly out?: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

// Nobody logs these on purpose; they arrive inside request and client objects.
const SECRETS = [
  'authorization',
  'Authorization',
  'x-api-key',
  'cookie',
  'password',
  'token',
  'key',
]

/** The process's logger; parts of Weir get a child with their name (`{ part: 'mqtt' }`). */
export function createLogger(options: LoggerOptions): Logger {
  const { out = process.stderr, format, level } = options
  const isPretty = format === 'pretty' || (format === 'auto' && out.isTTY === true)
  const settings = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: SECRETS.flatMap(name => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]),
      censor: '[hidden]',
    },
  }
  if (isPretty) {
    const colored = out.isTTY === true && process.env['NO_COLOR'] === undefined
    return pino(settings, { write: line => void out.write(prettyLine(line, colored)) })
  }
  return pino(settings, destination(out))
}

function destination(out: NonNullable<LoggerOptions['out']>): DestinationStream {
  // Written in the same turn: the lines before a crash are the ones that matter.
  if (out === process.stderr) return pino.destination({ fd: 2, sync: true })
  return { write: line => void out.write(line) }
}
