import type { Child, Exit } from './child.ts'
import type { FromWorker, ToWorker } from './messages.ts'

/** A worker process of which the test plays the other side. */
export class ScriptedChild implements Child {
  readonly pid: number
  readonly told: ToWorker['type'][] = []
  readonly exited: Promise<Exit>
  isGone = false
  /** What it is started as. */
  name: string | undefined
  #say: (message: FromWorker) => void = () => {}
  readonly #exit: (exit: Exit) => void

  constructor(pid: number) {
    const { promise, resolve } = Promise.withResolvers<Exit>()
    this.pid = pid
    this.exited = promise
    this.#exit = resolve
  }

  send(message: ToWorker): void {
    if (this.isGone) return
    const { type } = message
    this.told.push(type)
    if (type === 'start') this.name = message.name
    if (type === 'release') this.#say({ type: 'released' })
    if (type === 'stop') this.ends(0)
  }

  onMessage(listener: (message: FromWorker) => void): void {
    this.#say = listener
  }

  becomesReady(): void {
    this.#say({ type: 'ready', facts: this.pid })
  }

  usesCores(cores: number): void {
    this.#say({ type: 'usage', cpuUs: cores * 1e6, overUs: 1e6 })
  }

  /** By itself, or as it was told. */
  ends(code: number): void {
    this.isGone = true
    this.#exit({ code, signal: null })
  }

  kill(): void {
    this.isGone = true
    this.#exit({ code: null, signal: 'SIGKILL' })
  }
}
