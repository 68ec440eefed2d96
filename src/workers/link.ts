import type { Answer, FromWorker, LiveNews, ToWorker } from './messages.ts'
import { newsBytes } from './messages.ts'

/** The worker's end of the channel: `process`, except in tests. */
export interface Channel {
  send(message: FromWorker, sent: () => void): void
  onMessage(listener: (message: ToWorker) => void): void
}

/** Beyond it the siblings are told of a gap instead: a slow one must not fill this process. */
const MAX_UNSENT_BYTES = 8 << 20
const GATHER_TIMEOUT_MS = 5000

/** What a worker process has of its supervisor, and through it of its siblings. */
export class Link {
  readonly #channel: Channel
  readonly #sources = new Map<string, () => unknown>()
  readonly #gathering = new Map<number, (answers: readonly Answer[]) => void>()
  readonly #newsListeners: ((news: LiveNews) => void)[] = []
  readonly #gaps = new Set<string>()
  #wanted: ReadonlySet<string> = new Set()
  #unsentBytes = 0
  #questions = 0

  constructor(channel: Channel) {
    this.#channel = channel
    channel.onMessage(message => this.#take(message))
  }

  /** What this process answers when any of them gathers `what`; it may be a promise. */
  answer(what: string, source: () => unknown): void {
    this.#sources.set(what, source)
  }

  /**
   * What every process says to `what`, this one included; those that do not answer in time are
   * left out.
   */
  gather(what: string): Promise<readonly Answer[]> {
    const id = ++this.#questions
    return new Promise(resolve => {
      const done = (answers: readonly Answer[]): void => {
        clearTimeout(timer)
        this.#gathering.delete(id)
        resolve(answers)
      }
      const timer = setTimeout(done, GATHER_TIMEOUT_MS, [])
      timer.unref()
      this.#gathering.set(id, done)
      this.#channel.send({ type: 'gather', id, what }, () => {})
    })
  }

  /** Whether a sibling has live streams of that tenant open. */
  wants(tenant: string): boolean {
    return this.#wanted.has(tenant)
  }

  /** Tells the siblings of whose news this process has subscribers, whenever that changes. */
  interest(tenants: readonly string[]): void {
    this.#channel.send({ type: 'interest', tenants }, () => {})
  }

  /** Tells the siblings what is new, as long as they take it; else that there is a gap. */
  tell(news: LiveNews): void {
    if (this.#unsentBytes > MAX_UNSENT_BYTES) {
      this.#gaps.add(news.tenant)
      return
    }
    const bytes = newsBytes(news)
    const gap = this.#gaps.delete(news.tenant) || news.gap
    this.#unsentBytes += bytes
    this.#channel.send({ ...news, gap }, () => {
      this.#unsentBytes -= bytes
      if (this.#unsentBytes === 0) this.#tellGaps()
    })
  }

  onNews(listener: (news: LiveNews) => void): void {
    this.#newsListeners.push(listener)
  }

  /** Those that missed something and have heard nothing since. */
  #tellGaps(): void {
    for (const tenant of this.#gaps) {
      this.tell({ type: 'live', tenant, frames: [], events: [], gap: true })
    }
  }

  #take(message: ToWorker): void {
    switch (message.type) {
      case 'ask':
        void this.#reply(message.id, message.what)
        break
      case 'answers':
        this.#gathering.get(message.id)?.(message.answers)
        break
      case 'wanted':
        this.#wanted = new Set(message.tenants)
        break
      case 'live':
        for (const listener of this.#newsListeners) listener(message)
        break
      default:
      // Commands are the process's own to obey.
    }
  }

  async #reply(id: number, what: string): Promise<void> {
    const value = await Promise.resolve(this.#sources.get(what)?.()).catch(() => undefined)
    this.#channel.send({ type: 'answer', id, value }, () => {})
  }
}
