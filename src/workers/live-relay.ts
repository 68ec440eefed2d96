import { newsBytes, type LiveNews, type ToWorker } from './messages.ts'

/** A process that takes part, as far as the relay knows it. */
export interface RelayMember {
  send(message: ToWorker, sent?: () => void): void
}

/** Beyond it a process that does not take its messages is told of a gap instead. */
const MAX_UNSENT_BYTES = 8 << 20

interface Reader {
  tenants: ReadonlySet<string>
  unsentBytes: number
  readonly gaps: Set<string>
}

/**
 * Hands what is new in one process to those that have live streams of that tenant, and says to
 * every process what the others want, so that nothing is sent that nobody reads.
 */
export class LiveRelay<Member extends RelayMember> {
  readonly #readers = new Map<Member, Reader>()

  add(member: Member): void {
    this.#readers.set(member, { tenants: new Set(), unsentBytes: 0, gaps: new Set() })
    this.#tellWanted(member)
  }

  remove(member: Member): void {
    if (!this.#readers.delete(member)) return
    for (const other of this.#readers.keys()) this.#tellWanted(other)
  }

  setInterest(member: Member, tenants: readonly string[]): void {
    const reader = this.#readers.get(member)
    if (reader === undefined) return
    reader.tenants = new Set(tenants)
    for (const other of this.#readers.keys()) if (other !== member) this.#tellWanted(other)
  }

  publish(from: Member, news: LiveNews): void {
    for (const [member, reader] of this.#readers) {
      if (member === from || !reader.tenants.has(news.tenant)) continue
      if (reader.unsentBytes > MAX_UNSENT_BYTES) reader.gaps.add(news.tenant)
      else this.#send(member, reader, news)
    }
  }

  #send(member: Member, reader: Reader, news: LiveNews): void {
    const bytes = newsBytes(news)
    const gap = reader.gaps.delete(news.tenant) || news.gap
    reader.unsentBytes += bytes
    member.send({ ...news, gap }, () => {
      reader.unsentBytes -= bytes
      if (reader.unsentBytes > 0) return
      for (const tenant of reader.gaps) {
        this.#send(member, reader, { type: 'live', tenant, frames: [], events: [], gap: true })
      }
    })
  }

  #tellWanted(member: Member): void {
    const tenants = new Set<string>()
    for (const [other, reader] of this.#readers) {
      if (other !== member) for (const tenant of reader.tenants) tenants.add(tenant)
    }
    member.send({ type: 'wanted', tenants: [...tenants] })
  }
}
