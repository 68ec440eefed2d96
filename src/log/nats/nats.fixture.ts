import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { ConsumeRequest } from './consume-child.ts'
import { closeConnection, connectNats } from './link.ts'
import { NatsLog, type NatsLogOptions } from './nats-log.ts'

/** For tests: short times, small streams. */
export function natsOptions(
  address: string,
  options: Partial<NatsLogOptions> & Pick<NatsLogOptions, 'prefix'>,
): NatsLogOptions {
  return {
    servers: [address],
    ...{ user: '', password: '', token: '', credsFile: '', monitorUrl: '' },
    tls: { enabled: false, caFile: '', certFile: '', keyFile: '' },
    ...{ partitions: 1, replicas: 1, maxBytes: 64 << 20 },
    ...{ requestTimeoutMs: 5000, leaseMs: 1000, trimDelayMs: 60_000 },
    ...options,
  }
}

/** A log of a test's own, which several logs open as several processes would. */
export class LogUnderTest {
  readonly options: NatsLogOptions
  readonly #test: TestContext

  constructor(t: TestContext, address: string, given: Partial<NatsLogOptions> = {}) {
    this.#test = t
    this.options = natsOptions(address, { prefix: `weir-${randomUUID()}`, ...given })
  }

  /** It is closed when the test ends, if not before. */
  async open(given: Partial<NatsLogOptions> = {}): Promise<NatsLog> {
    const log = await NatsLog.open({ ...this.options, ...given })
    this.#test.after(() => log.close())
    return log
  }

  /** The server's own client, for what Weir never does. */
  async client(): Promise<NatsConnection> {
    const connection = await connectNats(this.options)
    this.#test.after(() => closeConnection(connection))
    return connection
  }

  /** See `consume-child.ts`. */
  consume(group: string, { commits }: { commits: boolean }): ConsumingChild {
    const file = join(import.meta.dirname, 'consume-child.ts')
    const request: ConsumeRequest = { options: this.options, group, commits }
    const child = spawn(process.execPath, [file, JSON.stringify(request)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const closed = once(child, 'close')
    let printed = ''
    child.stdout.on('data', chunk => (printed += chunk))
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL')
      await closed
    }
    this.#test.after(kill)
    const lines = (): string[] => printed.split('\n').slice(0, -1)
    return {
      isSubscribed: () => lines().includes('subscribed'),
      tags: () =>
        lines()
          .filter(line => line !== 'subscribed')
          .map(Number),
      signal: signal => void child.kill(signal),
      kill,
    }
  }
}

export interface ConsumingChild {
  isSubscribed(): boolean
  /** What it was given so far. */
  tags(): number[]
  signal(signal: NodeJS.Signals): void
  kill(): Promise<void>
}

/** Removes the streams of a prefix. */
export async function removeStreams(address: string, prefix: string): Promise<void> {
  const connection = await connectNats(natsOptions(address, { prefix }))
  const { streams } = await jetstreamManager(connection)
  const own = prefix.replaceAll('.', '_')
  const names: string[] = []
  for await (const name of streams.names()) if (name.startsWith(`${own}-`)) names.push(name)
  for (const name of names) await streams.delete(name)
  await closeConnection(connection)
}
