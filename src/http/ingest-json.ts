import { malformedJson, mustBeText } from './json-body.ts'
import type { HttpServices } from './services.ts'
import type { Access } from '../model/access.ts'

type Gate = HttpServices['gate']
type Sink = Parameters<Parameters<Gate['ingest']>[2]>[0]
export type JsonDecoder = (body: Buffer, sink: Sink) => void

/**
 * Hands a JSON body to the gate. The decode closure has this scope to itself: nothing that waits
 * for the log keeps the body alive.
 *
 * @throws HttpProblem at once when the body is empty or no text; rejects with one when it is no
 *   JSON, and with the gate's errors.
 */
export function ingestJson(
  gate: Gate,
  access: Access,
  { body, decode }: { body: Buffer | undefined; decode: JsonDecoder },
): ReturnType<Gate['ingest']> {
  mustBeText(body)
  return gate.ingest(access, 'http', sink => {
    try {
      decode(body, sink)
    } catch (error) {
      throw error instanceof SyntaxError ? malformedJson(body.toString()) : error
    }
  })
}
