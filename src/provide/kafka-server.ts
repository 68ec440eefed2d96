import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { askPort } from './ask-port.ts'
import { freePort } from './free-port.ts'
import { kafkaPrograms } from './kafka-home.ts'
import type { ProvidedServer, ProvideOptions, ServerKind } from './provided-server.ts'
import { runOnce } from './run-once.ts'
import { runServer } from './server-process.ts'

const SECOND = 1000

export interface KafkaOptions extends ProvideOptions {
  /** Folder of an installed Kafka; empty: it is looked for. */
  readonly home: string
}

/**
 * Starts one Kafka node, broker and controller at once (KRaft), its logs in the server's folder.
 *
 * @throws WeirError `config` when there is no Kafka or no Java; and as `runServer`.
 */
export async function provideKafka(options: KafkaOptions): Promise<ProvidedServer> {
  return runServer(kafkaKind(options), options)
}

export function kafkaKind({
  directory,
  home,
}: Pick<KafkaOptions, 'directory' | 'home'>): ServerKind {
  const { java, classPath, version } = kafkaPrograms(home)
  const data = join(directory, 'data')
  return {
    name: 'Kafka',
    title: `Kafka ${version}`,
    ...{ stopSignal: 'SIGTERM', stopWithinMs: 25 * SECOND, readyWithinMs: 300 * SECOND },
    async command(port) {
      const write = (folder: string, controller: number): string => {
        const file = join(directory, 'server.properties')
        writeFileSync(file, properties(settings(folder, { port, controller })))
        return file
      }
      const args = [`-Dlog4j2.configurationFile=${logSettings(directory)}`, '-cp', classPath]
      if (!existsSync(data)) {
        // It gets its name when it is whole, should this process be killed meanwhile.
        rmSync(`${data}.new`, { recursive: true, force: true })
        const file = write(`${data}.new`, await freePort())
        // With `=`, because an id may begin with a hyphen.
        const format = ['kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId()}`]
        format.push('-c', file)
        const program = { program: java, args: ['-Xmx128m', ...args, ...format] }
        await runOnce(program, { cwd: directory, input: '' })
        renameSync(`${data}.new`, data)
      }
      const file = write(data, await freePort())
      return { program: java, args: [...JVM, ...args, 'kafka.Kafka', file] }
    },
    isReady: port => isReady(port, join(data, 'meta.properties')),
    // The controller's port was free a moment ago; the broker's is looked at elsewhere.
    isPassing: output => /Address already in use|Failed to bind/.test(output),
    address: port => `127.0.0.1:${port}`,
  }
}

const JVM = ['-server', '-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-Djava.awt.headless=true']

function clusterId(): string {
  return randomBytes(16).toString('base64url')
}

interface Ports {
  readonly port: number
  readonly controller: number
}

function settings(data: string, { port, controller }: Ports): Record<string, string | number> {
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': data,
    'auto.create.topics.enable': 'false',
    // There is one node to copy to, and it is for one Weir.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    // On one node nothing else makes an acknowledged message outlive a power cut.
    'log.flush.interval.messages': 1,
    'num.network.threads': 2,
    'num.io.threads': 4,
    // A broker that was killed is let in again when its last session has ended.
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    'log.cleaner.dedupe.buffer.size': 4 * 1024 * 1024,
    'message.max.bytes': 8 * 1024 * 1024,
    'replica.fetch.max.bytes': 8 * 1024 * 1024,
  }
}

function properties(values: Readonly<Record<string, string | number>>): string {
  const escape = (text: string): string => text.replaceAll('\\', '\\\\')
  const lines = Object.entries(values).map(([name, value]) => `${name}=${escape(String(value))}`)
  return `${lines.join('\n')}\n`
}

/** Kafka's own logs tell a start in a thousand lines. */
function logSettings(directory: string): string {
  const file = join(directory, 'log4j2.properties')
  const lines = {
    status: 'error',
    'appender.out.type': 'Console',
    'appender.out.name': 'out',
    'appender.out.layout.type': 'PatternLayout',
    'appender.out.layout.pattern': '%d %p %c{1}: %m%n',
    'rootLogger.level': 'warn',
    'rootLogger.appenderRef.out.ref': 'out',
  }
  writeFileSync(file, properties(lines))
  return file
}

const METADATA = 3
const METADATA_VERSION = 2

/** Whether this very node says that a broker serves its cluster (Kafka protocol, Metadata v2). */
async function isReady(port: number, file: string): Promise<boolean> {
  const request = Buffer.alloc(18)
  request.writeInt32BE(request.length - 4, 0)
  request.writeInt16BE(METADATA, 4)
  request.writeInt16BE(METADATA_VERSION, 6)
  request.writeInt32BE(1, 8)
  // No client id, no topics.
  request.writeInt16BE(-1, 12)
  request.writeInt32BE(0, 14)
  const isWhole = (answer: Buffer): boolean =>
    answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)
  const answer = await askPort(port, request, isWhole)
  if (answer === undefined || answer.length < 12 || !existsSync(file)) return false
  const cluster = /^cluster\.id=(.*)$/m.exec(readFileSync(file, 'utf8'))?.[1].trim()
  return answer.readInt32BE(8) > 0 && cluster !== undefined && answer.includes(cluster)
}
