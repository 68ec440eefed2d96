import { loggableUrl } from './loggable-url.ts'
import { HttpProblem, problemOf } from './problem.ts'
import type { HttpLogger } from './services.ts'

/** What a log line says of a request that failed. */
export interface FailedRequest {
  readonly id: string
  readonly method: string
  readonly url: string
}

/** The problem that answers a thrown value; a mistake of ours is logged and says nothing more. */
export function requestProblem(
  logger: HttpLogger,
  error: unknown,
  { id, method, url }: FailedRequest,
): HttpProblem {
  const problem = problemOf(error)
  if (problem !== undefined) return problem
  logger.error({ err: error, request: id, method, url: loggableUrl(url) }, 'request failed')
  return new HttpProblem(500, 'Weir made a mistake; its log says more under this request id')
}

/** A client's own id (`x-request-id`), where it is one that can be logged and sent back. */
export function givenRequestId(given: unknown): string | undefined {
  return typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : undefined
}
