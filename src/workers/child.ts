import type { ChildProcess } from 'node:child_process'
import cluster from 'node:cluster'
import { fileURLToPath } from 'node:url'
import type { FromWorker, ToWorker } from './messages.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** One worker process, as the supervisor has it. */
export interface Child {
  readonly pid: number
  /** `sent` is called when the channel has taken the message; also when it never will. */
  send(message: ToWorker, sent?: () => void): void
  onMessage(listener: (message: FromWorker) => void): void
  readonly exited: Promise<Exit>
  kill(): void
}

/**
 * Starts workers that share listening sockets: the supervisor owns them and hands each connection
 * to one worker after the other, and to another one when that one has closed meanwhile. So no
 * connection is lost when a worker stops (docs/decisions/0027).
 */
export function forkWorkers(file: URL): () => Child {
  cluster.schedulingPolicy = cluster.SCHED_RR
  cluster.setupPrimary({ exec: fileURLToPath(file), args: [], serialization: 'advanced' })
  return () => {
    const worker = cluster.fork()
    const { process: child } = worker
    const { promise: exited, resolve } = Promise.withResolvers<Exit>()
    followHandovers(child)
    child.once('exit', (code, signal) => resolve({ code, signal }))
    // A process that could not even be started.
    child.once('error', () => resolve({ code: null, signal: null }))
    worker.on('error', () => {})
    return {
      pid: child.pid ?? 0,
      exited,
      send(message, sent = () => {}) {
        if (child.connected) child.send(message, undefined, undefined, () => sent())
        else sent()
      },
      onMessage: listener => void worker.on('message', message => listener(message as FromWorker)),
      kill: () => void child.kill('SIGKILL'),
    }
  }
}

/** What the kernel's connection is to Node; the supervisor's own end of it. */
interface Handle {
  close(): void
}

/** Messages of node:cluster's own, which are answered by their number. */
interface Handover {
  readonly seq: number
}
interface Answer {
  readonly cmd: 'NODE_CLUSTER'
  readonly ack: number
  readonly accepted: boolean
}

/**
 * A worker that ends may have been handed a connection that it had not taken, and node:cluster leaves
 * the supervisor's end of it open, so that its client would wait for ever. One that ends well had no
 * connection left: what was on its way to it is refused in its name, and another worker gets it. Of
 * one that dies nobody knows what it had read: the connection is closed, and the client tries again.
 */
function followHandovers(child: ChildProcess): void {
  const untaken = new Map<number, Handle>()
  const send = child.send.bind(child) as (...all: unknown[]) => boolean
  const watched = (message: unknown, handle?: unknown, ...rest: unknown[]): boolean => {
    if (isHandover(message, handle)) untaken.set((message as Handover).seq, handle)
    return send(message, handle, ...rest)
  }
  child.send = watched as typeof child.send
  child.on('internalMessage', ({ ack }: Partial<Answer>) => {
    if (ack !== undefined) untaken.delete(ack)
  })
  const settle = (code: number | null): void => {
    for (const [ack, handle] of untaken) {
      if (code !== 0) handle.close()
      else child.emit('internalMessage', refusalOf(ack))
    }
    untaken.clear()
  }
  child.once('exit', code => {
    // What it had answered may still be on its way here.
    if (child.connected) child.once('disconnect', () => settle(code))
    else settle(code)
  })
}

const refusalOf = (ack: number): Answer => ({ cmd: 'NODE_CLUSTER', ack, accepted: false })

function isHandover(message: unknown, handle: unknown): handle is Handle {
  const { cmd, act } = message as { readonly cmd?: unknown; readonly act?: unknown }
  return cmd === 'NODE_CLUSTER' && act === 'newconn' && handle !== undefined && handle !== null
}
