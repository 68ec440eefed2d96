import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../../ports/errors.ts'

/** A Weir that is reached over HTTP. */
export interface Connection {
  readonly url: string
  readonly key?: string | undefined
  readonly signal: AbortSignal
}

/** What is tried again, and for how long: a restart of Weir is to pass unnoticed. */
const MAX_TRIES = 40
const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 5000
const TIMEOUT_MS = 120_000

export function headersOf({ key }: Connection): Record<string, string> {
  return key === undefined ? {} : { authorization: `Bearer ${key}` }
}

/** An answer whose body was read. */
export interface Answer {
  readonly status: number
  readonly text: string
}

/**
 * Posts a body, and does it again while Weir is not there or has no room: to be used for what may
 * be repeated.
 *
 * @throws WeirError `retryable` when it is in vain.
 */
export async function post(
  connection: Connection,
  path: string,
  { body, type }: { readonly body: Buffer; readonly type: string },
): Promise<Answer> {
  let problem = ''
  for (let tries = 0, waitMs = FIRST_WAIT_MS; tries < MAX_TRIES; tries++) {
    let afterMs = waitMs
    try {
      const response = await fetch(new URL(path, connection.url), {
        ...{ method: 'POST', body },
        headers: { ...headersOf(connection), 'content-type': type },
        signal: AbortSignal.any([connection.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      })
      const { status } = response
      const text = await response.text()
      if (![429, 502, 503, 504].includes(status)) return { status, text }
      problem = problemText({ status, text })
      afterMs = 1000 * Number(response.headers.get('retry-after') ?? waitMs / 1000)
    } catch (error) {
      connection.signal.throwIfAborted()
      problem = causeText(error)
    }
    await sleep(Math.min(LONGEST_WAIT_MS, afterMs), undefined, { signal: connection.signal })
    waitMs *= 2
  }
  throw new WeirError('retryable', `${connection.url}: ${problem}`)
}

/** What is wrong, of an answer that is a problem. */
export function problemText({ status, text }: Answer): string {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown }
    if (typeof detail === 'string') return `${status}: ${detail}`
  } catch {
    // Not Weir's: some proxy's page.
  }
  return `answered ${status}`
}

/** `fetch failed` says nothing; what it failed of is behind it. */
export function causeText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  return cause instanceof Error
    ? cause.message || (cause as { code?: string }).code || error.message
    : error.message
}
