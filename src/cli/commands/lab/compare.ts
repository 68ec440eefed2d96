import { parseArgs } from 'node:util'
import type { CommandIo } from '../../command.ts'
import { exitCode } from '../../exit-code.ts'
import { complaintOf } from '../../lab-complaint.ts'

const OPTIONS = { json: { type: 'boolean', default: false } } as const

export const HELP = `weir lab compare A B: two folders with results.ndjson, of two commits or two machines

  --json    as JSON in place of Markdown

Prints the ratio B ÷ A of every cell with its interval, what changed between the runs, and which
predictions of A have come true in B. Refuses results with another SLO or other profiles.
`

/** `weir lab compare`: one result set against another. */
export async function labCompare(args: readonly string[], io: CommandIo): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      ...{ args: [...args], options: OPTIONS, allowPositionals: true },
    })
    if (positionals.length !== 2) {
      io.stderr.write('weir lab compare: name two folders that hold results.ndjson each\n')
      return exitCode('usage')
    }
    const { readResults } = await import('../../../lab/run/result-file.ts')
    const { compareResults } = await import('../../../lab/analysis/comparison.ts')
    const { comparisonMarkdown } = await import('../../../lab/report/comparison-markdown.ts')
    const [a, b] = [await readResults(positionals[0]), await readResults(positionals[1])]
    const comparison = compareResults(a, b)
    io.stdout.write(
      values.json
        ? `${JSON.stringify(comparison, undefined, 1)}\n`
        : comparisonMarkdown(comparison),
    )
    return exitCode('ok')
  } catch (error) {
    return complaintOf(error, { name: 'compare', io })
  }
}
