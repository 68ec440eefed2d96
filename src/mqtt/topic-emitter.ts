import { FilterTree } from './filter-tree.ts'

export interface EmittedPacket {
  readonly topic: string
}

type Listener = (packet: EmittedPacket, done: () => void) => void
type Done = (error?: Error) => void

/**
 * Carries messages from publishers to subscriptions; aedes takes it as its `mq`.
 *
 * Unlike the emitter that aedes brings, it does not wait until the subscribers have taken a
 * message: there, a hundred messages that wait for subscribers that do not read stop every
 * publisher of the broker. Here each subscriber's own bytes are bounded instead.
 */
export class TopicEmitter {
  readonly subscriptions = new FilterTree<Listener>()
  readonly #onError: (error: unknown) => void
  #closed = false

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  on(filter: string, listener: Listener, done?: () => void): this {
    this.subscriptions.add(filter, listener)
    if (done !== undefined) setImmediate(done)
    return this
  }

  removeListener(filter: string, listener: Listener, done?: () => void): this {
    this.subscriptions.remove(filter, listener)
    if (done !== undefined) setImmediate(done)
    return this
  }

  emit(packet: EmittedPacket, done: Done): this {
    if (this.#closed) {
      done(new Error('the broker is closed'))
      return this
    }
    for (const listener of this.subscriptions.match(packet.topic)) {
      try {
        listener(packet, ignore)
      } catch (error) {
        this.#onError(error)
      }
    }
    done()
    return this
  }

  close(done: () => void): this {
    this.#closed = true
    setImmediate(done)
    return this
  }
}

function ignore(): void {}
