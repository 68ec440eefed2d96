import { parseArgs } from 'node:util'
import type { CommandIo } from '../../command.ts'
import { exitCode } from '../../exit-code.ts'
import { complaintOf } from '../../lab-complaint.ts'

export const HELP = `weir lab report DIR: reads results.ndjson in DIR, and writes there

  report.html    plots, the table, what stops each architecture; one file, for a browser
  report.md      the same without plots
  summary.json   all figures, for programs
  table.csv      the table

A run that is not over has a report too: what is missing is named in it.
`

/** `weir lab report`: makes the report again, also of results from another machine. */
export async function labReport(args: readonly string[], io: CommandIo): Promise<number> {
  try {
    const { positionals } = parseArgs({ args: [...args], options: {}, allowPositionals: true })
    if (positionals.length !== 1) {
      io.stderr.write('weir lab report: name one folder that holds results.ndjson\n')
      return exitCode('usage')
    }
    const { writeReport } = await import('../../../lab/report/report.ts')
    const paths = await writeReport(positionals[0])
    io.stdout.write(paths.map(path => `${path}\n`).join(''))
    return exitCode('ok')
  } catch (error) {
    return complaintOf(error, { name: 'report', io })
  }
}
