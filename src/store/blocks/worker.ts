import { parentPort, workerData } from 'node:worker_threads'
import { Engine } from './engine.ts'
import { Inbox, plainError } from './inbox.ts'
import type { Answer, FromWorker, Question, ToWorker, WorkerOptions } from './protocol.ts'
import { readAllBuckets, readDownsampled, readLatest, readRaw } from './queries.ts'
import { readScanned } from './scan-read.ts'

/** The thread that owns head, flush and queries of one block store. */
const port = parentPort!

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

function start(): void {
  const engine = new Engine(workerData as WorkerOptions, () => {
    send({ kind: 'committed', positions: engine.positions() })
  })
  const inbox = new Inbox(engine, taken => send(taken, [taken.buffer]))
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'write') inbox.write(message)
    else if (message.kind === 'tick') engine.tick(message.nowMs)
    else void reply(engine, inbox, message)
  })
  send({ kind: 'ready', positions: engine.positions() })
}

async function reply(
  engine: Engine,
  inbox: Inbox,
  { id, question }: Extract<ToWorker, { kind: 'ask' }>,
): Promise<void> {
  try {
    // Awaiting costs a turn of microtasks only, but keep answers in order of questions.
    if (question.kind !== 'halt') await inbox.settled()
    const answer = await answerTo(engine, question)
    const transfer = 'packed' in answer ? [answer.packed.columns] : []
    send({ kind: 'answer', id, answer }, transfer)
  } catch (error) {
    send({ kind: 'refusal', id, error: plainError(error) })
  }
  if (question.kind === 'close' || question.kind === 'halt') port.close()
}

async function answerTo(engine: Engine, question: Question): Promise<Answer> {
  switch (question.kind) {
    case 'read':
      return { packed: await readRaw(engine, question.request) }
    case 'scan':
      return readScanned(engine, question.request, question.from)
    case 'buckets':
      return { packed: await readAllBuckets(engine, question.request) }
    case 'downsample':
      return { packed: await readDownsampled(engine, question.request) }
    case 'latest':
      return readLatest(engine, question.from)
    case 'stats':
      return { stats: engine.stats() }
    case 'flush':
      await engine.loop.all()
      return { done: true }
    case 'close':
      return closeEngine(engine)
    case 'halt':
      await engine.halt()
      return { done: true }
  }
}

/** Flushes, and releases everything even when that failed. */
async function closeEngine(engine: Engine): Promise<Answer> {
  try {
    await engine.loop.all()
  } finally {
    await engine.close()
  }
  return { done: true }
}

try {
  start()
} catch (error) {
  send({ kind: 'failed', error: plainError(error) })
  port.close()
}
