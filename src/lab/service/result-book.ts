import { mkdir, open, readFile, rename, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { RunRecord, TestResult } from './benchmark.ts'

type Line =
  | { readonly kind: 'test'; readonly test: TestResult }
  | { readonly kind: 'run'; readonly run: RunRecord }

export interface ResultBookOptions {
  /** Of tests, and of runs; the oldest go first. */
  readonly keep: number
}

/**
 * What benchmarks have found, kept in a file of JSON lines: a line is durable when `add…` resolves.
 * One process writes it. The file has at most twice the lines that are kept, then it is written anew.
 */
export class ResultBook {
  #tests: TestResult[] = []
  #runs: RunRecord[] = []
  #linesInFile = 0
  #writing: Promise<void> = Promise.resolve()
  #file: FileHandle | undefined
  readonly #path: string
  readonly #keep: number

  private constructor(path: string, { keep }: ResultBookOptions) {
    this.#path = path
    this.#keep = keep
  }

  /** Reads what is there. A line that is torn or none of ours is left out. */
  static async open(path: string, options: ResultBookOptions): Promise<ResultBook> {
    const book = new ResultBook(path, options)
    await mkdir(dirname(path), { recursive: true })
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    })
    const lines = text.split('\n').filter(line => line !== '')
    const known = lines.map(lineOf).filter(line => line !== undefined)
    for (const line of known) book.#take(line)
    book.#linesInFile = known.length
    // A torn line would spoil the one that is written after it.
    if (known.length < lines.length || (text !== '' && !text.endsWith('\n'))) await book.#rewrite()
    else await book.#openFile()
    return book
  }

  /** Oldest first. */
  get tests(): readonly TestResult[] {
    return this.#tests
  }

  get runs(): readonly RunRecord[] {
    return this.#runs
  }

  addTest(test: TestResult): Promise<void> {
    return this.#append({ kind: 'test', test })
  }

  addRun(run: RunRecord): Promise<void> {
    return this.#append({ kind: 'run', run })
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => {})
    await this.#file?.close()
    this.#file = undefined
  }

  /** @throws the file system's error; the line is answered until the end of the process anyway. */
  #append(line: Line): Promise<void> {
    this.#take(line)
    const write = async (): Promise<void> => {
      if (this.#linesInFile >= 4 * this.#keep) return this.#rewrite()
      const before = this.#linesInFile
      // A write that fails may leave half a line behind: the next one then writes the file anew.
      this.#linesInFile = Infinity
      await this.#file!.appendFile(`${JSON.stringify(line)}\n`)
      await this.#file!.datasync()
      this.#linesInFile = before + 1
    }
    this.#writing = this.#writing.catch(() => {}).then(write)
    return this.#writing
  }

  #take(line: Line): void {
    if (line.kind === 'test') this.#tests = [...this.#tests, line.test].slice(-this.#keep)
    else this.#runs = [...this.#runs, line.run].slice(-this.#keep)
  }

  /** The new file takes the place of the old one when it is whole and on disk. */
  async #rewrite(): Promise<void> {
    const lines: Line[] = [
      ...this.#tests.map(test => ({ kind: 'test' as const, test })),
      ...this.#runs.map(run => ({ kind: 'run' as const, run })),
    ]
    const temporary = `${this.#path}.new`
    const file = await open(temporary, 'w')
    try {
      await file.writeFile(lines.map(line => `${JSON.stringify(line)}\n`).join(''))
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, this.#path)
    this.#linesInFile = lines.length
    await this.#openFile()
  }

  async #openFile(): Promise<void> {
    await this.#file?.close()
    this.#file = await open(this.#path, 'a')
    const folder = await open(dirname(this.#path), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }
}

function lineOf(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Line
    if (line.kind === 'test') return typeof line.test.started_at === 'string' ? line : undefined
    return line.kind === 'run' && typeof line.run.run_id === 'string' ? line : undefined
  } catch {
    return undefined
  }
}
