import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { IngestGate } from '../ingest/gate.ts'
import { Bridge } from '../mqtt/bridge/bridge.ts'
import type { TopicTemplate } from '../mqtt/options.ts'
import type { Core } from './core.ts'
import { openAccess } from '../model/access.ts'
import { attributeKeeper } from './attribute-keeper.ts'
import { mqttIngest } from './mqtt-ingest.ts'
import { siteKeeper } from './site-keeper.ts'

type BridgeConfig = Config['mqtt']['bridges'][number]

export interface Bridges {
  readonly all: readonly Bridge[]
  close(timeoutMs: number): Promise<void>
  /** Those that were closed, once they are; they connect in the background. Throws as `openBridges`. */
  reopen(): Promise<void>
}

/**
 * Opens the bridges to outside brokers; they connect in the background.
 *
 * @throws WeirError of kind `config` when one cannot work as it is configured; none is left open.
 */
export async function openBridges(config: Config, core: Core, gate: IngestGate): Promise<Bridges> {
  let all: Bridge[] = []
  let closing: Promise<unknown> = Promise.resolve()
  const open = async (): Promise<void> => {
    all = []
    try {
      for (const bridge of config.mqtt.bridges) all.push(openOne(bridge, { config, core, gate }))
    } catch (error) {
      await close(0)
      throw error
    }
  }
  const close = async (timeoutMs: number): Promise<void> => {
    const closed = Promise.all(all.map(bridge => bridge.close(timeoutMs)))
    closing = closed
    await closed
  }
  await open()
  core.readiness.note(() => all.flatMap(bridge => bridge.problem() ?? []))
  return {
    get all() {
      return all
    },
    close,
    async reopen() {
      const closed = closing
      await closed
      // Unless they were closed once more.
      if (closing === closed) await open()
    },
  }
}

interface Parts {
  readonly config: Config
  readonly core: Core
  readonly gate: IngestGate
}

function openOne(bridge: BridgeConfig, { config, core, gate }: Parts): Bridge {
  const { registry, logger } = core
  const { tenant = config.ingest.tenant, topics, qos, ...rest } = bridge
  const log = logger.child({ part: 'bridge' })
  if (!bridge.tls.rejectUnauthorized) {
    log.warn({ bridge: bridge.name }, 'the certificate of an outside broker is not checked')
  }
  const sender = openAccess(tenant)
  const onSite = siteKeeper(registry, logger)
  const ingest = mqttIngest({
    ...{ gate, door: 'bridge', onSite, units: core.units },
    setAttributes: attributeKeeper(registry),
  })
  const own = topics.flatMap(({ template, path }) => templateOf(template, path))
  return new Bridge({
    ...rest,
    qos: qos === 0 ? 0 : 1,
    filters: [...new Set(topics.map(filterOf))],
    templates: [
      ...own,
      ...config.mqtt.topics.flatMap(each => templateOf(each.template, each.path)),
    ],
    stateFile: join(config.data, 'bridges', `${bridge.name}.json`),
    maxPacketBytes: config.mqtt.maxPacketBytes,
    log,
    ingest: messages => ingest(sender, messages),
  })
}

function filterOf({ filter, template = '' }: BridgeConfig['topics'][number]): string {
  return filter ?? template.replace(/\{[^}]*\}/g, '+')
}

function templateOf(template: string | undefined, path: string | undefined): TopicTemplate[] {
  if (template === undefined) return []
  return [path === undefined ? { template } : { template, path }]
}
