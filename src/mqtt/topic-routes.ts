import type { TelemetryTarget, TopicTemplate } from './options.ts'
import { stringProblem, topicProblem } from './topic-rules.ts'
import type { TopicConvention } from './topics/convention.ts'
import { deviceMetric, deviceTelemetry } from './topics/devices.ts'
import { iotData } from './topics/iot-data.ts'
import { compileTemplate } from './topics/template.ts'
import { isPrivateTopic, thingsboard } from './topics/thingsboard.ts'

/** What is known about a topic to which a client has published. */
export interface TopicRoute {
  readonly topic: string
  /** Undefined: an ordinary topic between clients. */
  readonly target: TelemetryTarget | undefined
  /** Clients may not publish to the broker's own topics. */
  readonly isReserved: boolean
  /** What is published there is for Weir alone, and is not delivered to other clients. */
  readonly isPrivate: boolean
  /** Whether somebody listens, as of `version` of the subscriptions. */
  isWanted: boolean
  version: number
}

/** Beyond this many topics the kept routes are thrown away and made anew; a route takes about 300 bytes. */
const MAX_ROUTES = 200_000

/** The first convention that knows a topic decides; a further one is one line here. */
const builtIn: readonly TopicConvention[] = [deviceTelemetry, deviceMetric, iotData, thingsboard]

export class TopicRoutes {
  readonly #conventions: readonly TopicConvention[]
  readonly #routes = new Map<string, TopicRoute>()

  /** @throws WeirError of kind `config` when a template is wrong. */
  constructor(templates: readonly TopicTemplate[]) {
    this.#conventions = [...builtIn, ...templates.map(compileTemplate)]
  }

  /** The route of the topic in these bytes, or what is wrong with it. */
  of(bytes: Buffer, from: number, to: number): TopicRoute | string {
    const topic = bytes.toString('utf8', from, to)
    const known = this.#routes.get(topic)
    if (known !== undefined) return known
    const problem = stringProblem(bytes.subarray(from, to)) ?? topicProblem(topic)
    if (problem !== undefined) return problem
    const route = this.route(topic)
    // Malformed UTF-8 also decodes to U+FFFD, and must not find this route.
    if (topic.includes('\ufffd')) return route
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear()
    this.#routes.set(topic, route)
    return route
  }

  /** The same for a topic that is known to be good. */
  route(topic: string): TopicRoute {
    const isReserved = topic === '$SYS' || topic.startsWith('$SYS/')
    const levels = topic.split('/')
    let target: TelemetryTarget | undefined
    for (let i = 0; i < this.#conventions.length && target === undefined; i++) {
      target = isReserved ? undefined : this.#conventions[i](levels)
    }
    const isPrivate = isPrivateTopic(topic)
    return { topic, target, isReserved, isPrivate, isWanted: false, version: -1 }
  }
}
