import type { FastifyReply } from 'fastify'
import { JSON_TYPE } from './app.ts'
import { refusedPoints } from './problem.ts'
import type { HttpServices } from './services.ts'

export type Outcome = Awaited<ReturnType<HttpServices['gate']['ingest']>>

/** Answers as the native API does: what was accepted and what not, and 400 when nothing was. */
export function answerOutcome(outcome: Promise<Outcome>, reply: FastifyReply): void {
  outcome.then(
    result => sendOutcome(reply, result),
    (error: unknown) => reply.send(error),
  )
}

function sendOutcome(reply: FastifyReply, { accepted, flagged, rejected }: Outcome): void {
  if (accepted === 0) {
    const [first] = rejected
    const detail =
      first === undefined
        ? 'there are no points in the body'
        : `none was accepted; item ${first.index}: ${first.field} ${first.detail}`
    void reply.send(refusedPoints(detail, rejected))
    return
  }
  reply.header('content-type', JSON_TYPE)
  const counts = flagged === undefined ? accepted : `${accepted},"flagged":${flagged}`
  void reply.send(`{"accepted":${counts},"rejected":${encodeRejected(rejected)}}`)
}

function encodeRejected(rejected: Outcome['rejected']): string {
  if (rejected.length === 0) return '[]'
  return JSON.stringify(rejected.map(({ index, field, detail }) => ({ index, field, detail })))
}
