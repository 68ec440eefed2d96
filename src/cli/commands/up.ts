import { formatAddress } from '../../config/address.ts'
import { formatProblems } from '../../config/problem.ts'
import { hasWorkers } from '../../config/role-rules.ts'
import type { Config } from '../../config/schema.ts'
import { lockDataFolder } from '../../compose/data-lock.ts'
import { closeAll } from '../../kit/close-all.ts'
import { createLogger, type Logger } from '../../observe/logger.ts'
import { provideServers, stopServers } from '../../provide/provide-servers.ts'
import { readArguments } from '../arguments.ts'
import { banner, reachable } from '../banner.ts'
import type { CommandIo } from '../command.ts'
import { commands } from '../commands.ts'
import { readConfiguration } from '../configuration.ts'
import { startDemo } from '../demo.ts'
import type { Demo } from '../demo.ts'
import { exitCode } from '../exit-code.ts'
import { codeOfStartError, messageOfStartError } from '../start-error.ts'
import { runNode } from '../run-node.ts'
import type { Stoppable } from '../run-node.ts'
import { startWorkers, type RunningWeir } from '../workers.ts'

/** `weir up`: runs a node until it is told to stop. */
export async function up(args: readonly string[], io: CommandIo): Promise<number> {
  const command = commands.find(({ name }) => name === 'up')!
  const given = readArguments(command, args)
  const outcome = readConfiguration(given, io)
  if ('problems' in outcome) {
    io.stderr.write(`${formatProblems(outcome.problems)}\n`)
    return exitCode('usage')
  }
  const { auth, http } = outcome.config
  if (given.own.has('demo') && (auth.mode === 'keys' || http.tls.certFile !== '')) {
    io.stderr.write('weir up: the demo fleet has no key and no TLS; run it with auth.mode open\n')
    return exitCode('usage')
  }
  try {
    return await run(outcome.config, { io, isDemo: given.own.has('demo') })
  } catch (error) {
    const code = codeOfStartError(error)
    if (code === undefined) throw error
    io.stderr.write(`weir up: ${messageOfStartError(error)}\n`)
    return code
  }
}

async function run(config: Config, how: { io: CommandIo; isDemo: boolean }): Promise<number> {
  const logger = createLogger(config.logging)
  const lock = lockDataFolder(config.data)
  const report = (message: string, error?: Error): void => {
    if (error === undefined) logger.info(message)
    else logger.error({ err: error }, message)
  }
  try {
    return await runNode(signal => start(config, { ...how, logger, signal }), {
      shutdownTimeoutMs: config.shutdownTimeoutMs,
      signals: process,
      exitNow: code => process.exit(code),
      report,
    })
  } finally {
    lock.release()
  }
}

interface StartContext {
  readonly io: CommandIo
  readonly isDemo: boolean
  readonly logger: Logger
  /** Whoever waits for the start gives up. */
  readonly signal: AbortSignal
}

/** With the servers that it needs and nobody named, which end after it. */
async function start(config: Config, context: StartContext): Promise<Stoppable> {
  const { io, logger, signal } = context
  const report = (message: string): void => logger.info(message)
  const provided = await provideServers(config, { report })
  for (const server of provided.servers) io.stdout.write(`Started ${server.describe()}\n`)
  try {
    signal.throwIfAborted()
    const node = await startAlone(provided.config, context)
    const stop = () => closeAll([() => node.stop(), () => stopServers(provided.servers)])
    return { ...node, stop }
  } catch (error) {
    await stopServers(provided.servers)
    throw error
  }
}

async function startAlone(
  config: Config,
  { io, isDemo, logger, signal }: StartContext,
): Promise<Stoppable> {
  const { http, ...node } = hasWorkers(config)
    ? await startWorkers(config, { logger, signal })
    : await startOne(config, { logger, signal })
  io.stdout.write(bannerOf(config, { ...node, http }))
  let demo: Demo | undefined
  if (isDemo && http !== undefined) {
    demo = startDemo(`http://${formatAddress(reachable(http))}`, error =>
      logger.error({ err: error }, 'the demo fleet failed'),
    )
  }
  return {
    failed: node.failed,
    failure: () => node.failure(),
    async stop() {
      await demo?.stop()
      await node.stop()
    },
  }
}

/** Everything in this process. */
async function startOne(
  config: Config,
  { logger, signal }: Pick<StartContext, 'logger' | 'signal'>,
): Promise<RunningWeir> {
  const { startNode } = await import('../../compose/node.ts')
  const node = await startNode(config, { logger, signal })
  return {
    ...node,
    async stop() {
      // Others listen at this address too: clients are to go on there.
      if (config.http.reusePort) await node.drain(config.processes.drainMs)
      await node.stop()
    },
  }
}

function bannerOf(config: Config, running: RunningWeir): string {
  const { http, mqtt, mqtts, workers } = running
  return banner({
    ...{ http, mqtt, mqtts, workers, data: config.data, startMs: performance.now() },
    asksForKeys: config.auth.mode === 'keys',
    isSecure: config.http.tls.certFile !== '',
    isWhole: config.role !== 'processor',
  })
}
