import { enableCompileCache } from 'node:module'
import type { WeirNode } from '../compose/weir-node.ts'
import type { Logger } from '../observe/logger.ts'
import { Link, type Channel } from '../workers/link.ts'
import type { FromWorker, ToWorker } from '../workers/messages.ts'
import { exitCode } from './exit-code.ts'
import { codeOfStartError, messageOfStartError } from './start-error.ts'
import type { WorkerPlan } from './workers.ts'

// A worker process of `weir up`: a node that its supervisor starts and stops.

enableCompileCache()

/** A terminal and systemd send these to every process of a group; here the supervisor decides. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) {
  process.on(signal, () => {})
}

const USAGE_INTERVAL_MS = 1000

const send = (message: FromWorker, sent: () => void = () => {}): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => sent())
  else sent()
}
const listeners: ((message: ToWorker) => void)[] = [obey]
const channel: Channel = { send, onMessage: listener => void listeners.push(listener) }
const link = new Link(channel)
let logger: Logger | undefined
let node: WeirNode | undefined
let isEnding = false

process.on('message', (message: ToWorker) => {
  for (const listener of listeners) listener(message)
})

function obey(message: ToWorker): void {
  if (message.type === 'start') void start(message.name, message.plan as WorkerPlan)
  else if (message.type === 'release') void release()
  else if (message.type === 'regain') void regain()
  else if (message.type === 'retire') void end(message.drainMs)
  else if (message.type === 'stop') void end(0)
}

async function start(name: string, { config, broker }: WorkerPlan): Promise<void> {
  const { createLogger } = await import('../observe/logger.ts')
  logger = createLogger(config.logging).child({ worker: name })
  // What `ps` and `top` show, and how the lab tells gateways from processors.
  process.title = `weir ${name}`
  try {
    const { startNode } = await import('../compose/node.ts')
    node = await startNode(config, { logger, link, broker })
  } catch (error) {
    const code = codeOfStartError(error)
    if (code === undefined) logger.error({ err: error }, 'the worker does not start')
    fail(messageOfStartError(error), code ?? exitCode('unexpected'))
    return
  }
  const { http, mqtt, mqtts } = node
  void node.failed.then(async ({ message }) => {
    if (isEnding) return
    isEnding = true
    await node?.stop().catch(() => {})
    fail(message, exitCode('failed'))
  })
  reportUsage()
  send({ type: 'ready', facts: { http, mqtt, mqtts } })
}

async function release(): Promise<void> {
  await node?.release()
  send({ type: 'released' })
}

async function regain(): Promise<void> {
  if (isEnding) return
  await node?.regain().catch((error: unknown) => {
    logger?.error({ err: error }, 'what was let go of is not had again')
  })
}

async function end(drainMs: number): Promise<void> {
  if (isEnding) return
  isEnding = true
  // Still starting: nothing was acknowledged yet, and nothing has to be kept.
  if (node === undefined) process.exit(exitCode('ok'))
  try {
    if (drainMs > 0) await node.drain(drainMs)
    const failure = node.failure()
    await node.stop()
    process.exit(exitCode(failure === undefined ? 'ok' : 'failed'))
  } catch (error) {
    logger?.error({ err: error }, 'the stop failed')
    process.exit(exitCode('failed'))
  }
}

function fail(message: string, code: number): void {
  send({ type: 'failed', message, exitCode: code }, () => process.exit(code))
}

/** For the number of workers to follow the load. */
function reportUsage(): void {
  let before = process.cpuUsage()
  let beforeMs = performance.now()
  setInterval(() => {
    const used = process.cpuUsage(before)
    const nowMs = performance.now()
    send({ type: 'usage', cpuUs: used.user + used.system, overUs: (nowMs - beforeMs) * 1000 })
    before = process.cpuUsage()
    beforeMs = nowMs
  }, USAGE_INTERVAL_MS).unref()
}
