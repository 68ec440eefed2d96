/** One thing that is wrong with the configuration. */
export interface Problem {
  /** `ingest.maxBodyBytes`; empty where it concerns no option. */
  readonly path: string
  /** Who said so: `--http`, `WEIR_HTTP`, `plant.yaml:12`. Absent: nobody, it is missing. */
  readonly source?: string
  readonly message: string
  /** What to do about it. */
  readonly hint?: string
}

/** All problems as a person reads them, one or two lines each. */
export function formatProblems(problems: readonly Problem[]): string {
  const heading = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return [`The configuration has ${heading}:`, ...problems.map(formatProblem)].join('\n')
}

function formatProblem({ path, source, message, hint }: Problem): string {
  const origin = source === undefined || source === `--${path}` ? '' : ` (${source})`
  const subject = path === '' ? origin.trim() : `${path}${origin}`
  const line = subject === '' ? `  - ${message}` : `  - ${subject}: ${message}`
  return hint === undefined ? line : `${line}\n      ${hint}`
}
