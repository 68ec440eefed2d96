import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LabRecord } from './record.ts'

export const RESULT_FILE = 'results.ndjson'

/** Appends records; each is on disk when `append` returns. */
export interface ResultFile {
  /** What was in it when it was opened. */
  readonly records: readonly LabRecord[]
  append(record: LabRecord): void
  close(): void
}

/**
 * Opens the result file of a folder, or begins one. A last line that was cut off, because the machine
 * went down within it, is removed: its step runs again.
 *
 * @throws Error where a line before the last is no record.
 */
export function openResults(directory: string): ResultFile {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, RESULT_FILE)
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  const whole = bytes.lastIndexOf(0x0a) + 1
  const records = parse(bytes.toString('utf8', 0, whole), path)
  if (whole < bytes.length) truncateSync(path, whole)
  const file = openSync(path, 'a')
  return {
    records,
    append(record) {
      writeSync(file, `${JSON.stringify(record)}\n`)
      fsyncSync(file)
    },
    close: () => closeSync(file),
  }
}

/**
 * The records of a folder, also while they are being written.
 *
 * @throws Error where there is no result file, or a line before the last is no record.
 */
export async function readResults(directory: string): Promise<LabRecord[]> {
  const path = join(directory, RESULT_FILE)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`no results in ${directory}`, { cause: error })
  })
  return parse(text.slice(0, text.lastIndexOf('\n') + 1), path)
}

function parse(text: string, path: string): LabRecord[] {
  return text.split('\n').flatMap((line, i) => {
    if (line === '') return []
    try {
      const record = JSON.parse(line) as LabRecord
      if (['run', 'step', 'cell'].includes(record.kind)) return [record]
    } catch {
      // Told below.
    }
    throw new Error(`${path}:${i + 1} is no record of the lab`)
  })
}
