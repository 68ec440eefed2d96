import { Counter, Gauge, type Registry } from 'prom-client'

/** One bridge to an outside broker, as it is now. */
export interface BridgeFigures {
  readonly name: string
  readonly isConnected: boolean
  readonly refusedFilters: number
  readonly messages: ReadonlyMap<string, number>
  readonly inFlight: number
  readonly reconnects: number
}

const bridge = 'bridge'

/** The metrics of the bridges, read at each scrape. */
export function bridgeMetrics(registry: Registry, read: () => readonly BridgeFigures[]): void {
  const gauge = (name: string, help: string, value: (figures: BridgeFigures) => number): void => {
    new Gauge({
      ...{ name, help, labelNames: [bridge], registers: [registry] },
      collect() {
        for (const figures of read()) this.set({ bridge: figures.name }, value(figures))
      },
    })
  }
  gauge('mqtt_bridge_connected', '1: connected to its broker and subscribed', figures =>
    figures.isConnected ? 1 : 0,
  )
  gauge('mqtt_bridge_in_flight_messages', 'Messages that wait for the log', figures => {
    return figures.inFlight
  })
  gauge('mqtt_bridge_refused_subscriptions', 'Filters that the broker refuses', figures => {
    return figures.refusedFilters
  })
  new Counter({
    name: 'mqtt_bridge_reconnects_total',
    help: 'Connections after the first',
    ...{ labelNames: [bridge], registers: [registry] },
    collect() {
      this.reset()
      for (const { name, reconnects } of read()) this.inc({ bridge: name }, reconnects)
    },
  })
  new Counter({
    name: 'mqtt_bridge_messages_total',
    help: 'Messages of outside brokers by kind',
    ...{ labelNames: [bridge, 'kind'], registers: [registry] },
    collect() {
      this.reset()
      for (const { name, messages } of read()) {
        for (const [kind, count] of messages) this.inc({ bridge: name, kind }, count)
      }
    },
  })
}
