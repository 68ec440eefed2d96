import type { Workload } from '../workloads/workload.ts'
import { artilleryProcessor, artilleryScript } from './artillery.ts'
import { k6Script } from './k6.ts'
import { locustFile } from './locust.ts'
import { changedPace, type PaceChange } from '../generator/pace.ts'

export const EXPORT_TOOLS = ['k6', 'locust', 'artillery'] as const
export type ExportTool = (typeof EXPORT_TOOLS)[number]

export interface ExportOptions extends PaceChange {
  /** Where the platform is. `BASE_URL` in the environment, Artillery's `--target`, go before it. */
  readonly url?: string | undefined
  /** Of the first file; another is named after it. */
  readonly fileName?: string | undefined
}

export interface ExportedFile {
  readonly name: string
  readonly text: string
}

const ENDINGS: Readonly<Record<ExportTool, string>> = {
  k6: '.k6.js',
  locust: '.locust.py',
  artillery: '.artillery.yml',
}

/**
 * A workload as scripts of another tool, the one to start first. They send the same requests with the
 * same kind of payload in the same proportions and at the same rates; times and values are drawn by
 * the tool itself.
 */
export function exportWorkload(
  workload: Workload,
  tool: ExportTool,
  options: ExportOptions = {},
): readonly ExportedFile[] {
  const { url = 'http://127.0.0.1:8080', fileName: name = workload.id + ENDINGS[tool] } = options
  const executor = changedPace(workload.executor, options)
  switch (tool) {
    case 'k6':
      return [{ name, text: k6Script(workload, executor, url) }]
    case 'locust':
      return [{ name, text: locustFile(workload, executor, url) }]
    case 'artillery': {
      const processor = `${name.replace(/\.ya?ml$/, '')}.cjs`
      return [
        { name, text: artilleryScript(workload, executor, { url, processor }) },
        { name: processor, text: artilleryProcessor(workload, executor) },
      ]
    }
  }
}
