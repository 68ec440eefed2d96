import type { Access } from '../model/access.ts'
import type { TopicRoute, TopicRoutes } from './topic-routes.ts'

/** In the place of a wildcard; no device is named so. */
const ANY = '\0'
/** Levels that a `#` is taken for, at most: no telemetry topic has more behind its device. */
const MAX_REST = 8
/** Where devices of ThingsBoard talk about themselves; the client says which one that is. */
const OWN_TOPICS = 'v1/devices/me/'

/**
 * What one client may publish, subscribe to and receive. With a key of one device: that device's
 * telemetry topics and what is under `devices/{id}/`.
 */
export class Rights {
  readonly #mayIngest: boolean
  readonly #mayRead: boolean
  readonly #device: string | undefined
  readonly #prefix: string
  readonly #routes: TopicRoutes

  constructor({ scopes, device }: Access, routes: TopicRoutes) {
    this.#mayIngest = scopes.includes('ingest')
    this.#mayRead = scopes.includes('read')
    this.#device = device
    this.#prefix = `devices/${device}/`
    this.#routes = routes
  }

  /** Hot. A payload that names its device itself is judged where it is read. */
  mayPublish({ topic, target, isReserved }: TopicRoute): boolean {
    if (!this.#mayIngest || isReserved) return false
    if (this.#device === undefined) return true
    if (target !== undefined) return target.deviceId === this.#device || target.deviceId === ''
    return topic.startsWith(this.#prefix) || topic.startsWith(OWN_TOPICS)
  }

  maySubscribe(filter: string): boolean {
    if (!this.#mayRead) return false
    if (this.#device === undefined) return true
    if (filter.startsWith(this.#prefix) || filter.startsWith(OWN_TOPICS)) return true
    const levels = filter.split('/').map(level => (level === '+' ? ANY : level))
    const rests = levels.at(-1) === '#' ? MAX_REST : 0
    if (rests > 0) levels.pop()
    for (let rest = 0; rest <= rests; rest++) {
      if (this.#isOwn(levels.join('/'))) return true
      levels.push(ANY)
    }
    return false
  }

  /** The last word: also of subscriptions that an earlier connection, with another key, made. */
  mayReceive(topic: string): boolean {
    if (!this.#mayRead) return false
    if (this.#device === undefined) return true
    return topic.startsWith(this.#prefix) || this.#isOwn(topic)
  }

  #isOwn(topic: string): boolean {
    return this.#routes.route(topic).target?.deviceId === this.#device
  }
}
