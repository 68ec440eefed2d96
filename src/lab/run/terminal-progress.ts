import type { Tick } from '../generator/load.ts'
import type { PlannedStep } from '../search/search.ts'
import { cellName } from './blocks.ts'
import type { CellsLeft, Progress } from './progress.ts'
import type { CellKey, CellRecord, Phase, StepRecord } from './record.ts'

interface Terminal {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

interface ShownRun {
  readonly solutions: readonly string[]
  readonly profiles: readonly string[]
  /** How a cell is called; with its block. */
  readonly nameOf?: (cell: CellKey) => string
}

const PHASES: Readonly<Record<Phase, string>> = {
  pilot: 'ramp',
  bisect: 'search',
  confirm: 'confirm',
  overload: 'overload',
}

/** A line for each step; on a terminal also what runs at the moment and the table so far, redrawn. */
export class TerminalProgress implements Progress {
  readonly #out: Terminal
  readonly #run: ShownRun
  readonly #nameOf: (cell: CellKey) => string
  readonly #rates = new Map<string, number | 'none'>()
  #left: CellsLeft | undefined
  #now = ''
  #doing = ''
  /** Lines at the end of the screen that the next drawing replaces. */
  #drawn = 0

  constructor(out: Terminal, run: ShownRun) {
    this.#out = out
    this.#run = run
    this.#nameOf = run.nameOf ?? cellName
  }

  note(line: string): void {
    this.#print(`  ${line}`)
  }

  cellStarts(cell: CellKey): void {
    this.#now = this.#nameOf(cell)
    this.#doing = ''
    this.#draw()
  }

  stepStarts(cell: CellKey, step: PlannedStep): void {
    this.#now = `${this.#nameOf(cell)} · ${PHASES[step.phase]} ${ratesOf(step)}`
    this.#doing = ''
    this.#draw()
  }

  stage(stage: 'starting' | 'load' | 'draining'): void {
    this.#doing = stage === 'load' ? '' : `${stage} …`
    this.#draw()
  }

  tick(tick: Tick): void {
    const { offered, achieved, p99Ms, failures, inFlight, waiting } = tick
    this.#doing =
      `${Math.round(offered)}/s offered, ${Math.round(achieved)}/s achieved, p99 ${ms(p99Ms)}, ` +
      `${inFlight + waiting} under way${failures === 0 ? '' : `, ${failures} failures`}`
    this.#draw()
  }

  stepEnds(record: StepRecord): void {
    this.#print(`${this.#nameOf(record.cell)} · ${stepLine(record)}`)
  }

  cellEnds(record: CellRecord, left: CellsLeft): void {
    this.#left = left
    const { cell, maxRate, problem } = record
    this.#rates.set(`${cell.solution} ${cell.profile}`, problem === undefined ? maxRate : 'none')
    this.#now = ''
    this.#doing = ''
    const rest = left.cells > 1 ? ` (${left.done} of ${left.cells}, ${timeLeft(left)})` : ''
    this.#print(`${this.#nameOf(cell)}: ${cellLine(record)}${rest}`)
  }

  /** Nothing is redrawn afterwards. */
  end(): void {
    this.#erase()
  }

  #print(line: string): void {
    this.#erase()
    this.#out.write(`${line}\n`)
    this.#draw()
  }

  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\x1b[${this.#drawn}A\x1b[J`)
    this.#drawn = 0
  }

  #draw(): void {
    if (this.#out.isTTY !== true) return
    const left = this.#left
    const head = left === undefined ? '' : `${left.done} of ${left.cells} cells, ${timeLeft(left)}`
    const lines = ['', ...this.#table(), '', [this.#now, head].filter(Boolean).join(' — ')]
    if (this.#doing !== '') lines.push(`  ${this.#doing}`)
    // A line that the terminal breaks would be two to erase.
    const columns = this.#out.columns ?? 80
    const cut = lines.map(line => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line))
    this.#erase()
    this.#out.write(`${cut.join('\n')}\n`)
    this.#drawn = lines.length
  }

  /** Highest rates by solution and profile; of several blocks the newest. */
  #table(): string[] {
    const { solutions, profiles } = this.#run
    const wide = Math.max(...solutions.map(id => id.length), 10)
    const heads = profiles.map(profile => profile.padStart(Math.max(profile.length, 8)))
    const rows = solutions.map(solution => {
      const cells = profiles.map((profile, i) => {
        const rate = this.#rates.get(`${solution} ${profile}`)
        const text = rate === undefined ? '·' : rate === 'none' ? 'none' : `${rate}/s`
        return text.padStart(heads[i].length)
      })
      return `${solution.padEnd(wide)}  ${cells.join('  ')}`
    })
    return [`${''.padEnd(wide)}  ${heads.join('  ')}`, ...rows]
  }
}

/** `search 1414/s: held, 1409/s achieved, p99 12 ms`. */
export function stepLine(record: StepRecord): string {
  const { phase, rate, load, verdict, recoveryMs } = record
  const figures = load === undefined ? '' : figuresOf(record)
  const reasons = verdict.breaches.map(({ detail }) => detail).join('; ')
  const outcome = {
    ...{ pass: 'held', fail: 'broke', void: 'void', invalid: 'INVALID' },
    // It is meant to break.
    ...(phase === 'overload' && { fail: 'overloaded' }),
  }[verdict.outcome]
  const again = recoveryMs === undefined ? '' : `, well again after ${ms(recoveryMs)}`
  const why = reasons === '' ? '' : `: ${reasons}`
  const at = phase === 'pilot' ? `up to ${rate}/s` : `${rate}/s`
  return `${PHASES[phase]} ${at}: ${outcome}${figures}${again}${why}`
}

function figuresOf({ phase, load }: StepRecord): string {
  // Of a ramp the mean of all stages says nothing.
  if (phase === 'pilot') return ''
  return `, ${Math.round(load!.achievedRate)}/s achieved, p99 ${ms(load!.latency.p99Ms)}`
}

export function cellLine({ maxRate, limit, problem }: CellRecord): string {
  if (problem !== undefined) return `no result: ${problem}`
  const why = limit.map(({ detail }) => detail).join('; ')
  return `${maxRate}/s${why === '' ? '' : `; above it ${why}`}`
}

const ratesOf = ({ phase, rates }: PlannedStep): string =>
  phase === 'pilot' ? `from ${rates[0]}/s` : `at ${rates[0]}/s`

const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`

function timeLeft({ leftMs }: CellsLeft): string {
  const minutes = Math.round(leftMs / 60_000)
  if (minutes < 1) return 'less than a minute left'
  if (minutes < 90) return `about ${minutes} min left`
  return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min left`
}
