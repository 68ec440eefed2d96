import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { analyse } from '../analysis/analysis.ts'
import { readResults } from '../run/result-file.ts'
import { tableCsv } from './csv.ts'
import { reportPage } from './html/page.ts'
import { reportMarkdown } from './markdown.ts'
import { summaryOf } from './summary.ts'

/**
 * Writes the report of a result file into its folder; also of a run that is not over, whose missing
 * cells it names. Resolves with the paths written.
 *
 * @throws Error where the folder has no results, or none that can be read.
 */
export async function writeReport(directory: string): Promise<readonly string[]> {
  const analysis = analyse(await readResults(directory))
  const files = {
    'report.html': reportPage(analysis),
    'report.md': reportMarkdown(analysis),
    'summary.json': `${JSON.stringify(summaryOf(analysis), undefined, 1)}\n`,
    'table.csv': tableCsv(analysis.table),
  }
  const paths: string[] = []
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name)
    // Whole or not at all: the benchmark service serves them while a run writes them again.
    await writeFile(`${path}.tmp`, text)
    await rename(`${path}.tmp`, path)
    paths.push(path)
  }
  return paths
}
