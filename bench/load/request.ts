import { putDigits } from './digits.ts'

/** Where a connection of the HTTP load takes its requests from. */
export interface RequestSource {
  /** Points that one request carries; 0 for reads. */
  readonly points: number
  /** The next request; its bytes are not touched again before its answer is there. Undefined: no more. */
  next(): Buffer | undefined
}

export interface RequestHead {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly contentType?: string
}

let key: string | undefined

/** Every request that this process makes from now on carries the key. */
export function useKey(text: string | undefined): void {
  key = text
}

/** A whole HTTP/1.1 request and where its body begins. */
export function httpRequest(
  head: RequestHead,
  body?: Uint8Array,
): { bytes: Buffer; bodyAt: number } {
  const lines = [`${head.method} ${head.path} HTTP/1.1`, 'Host: 127.0.0.1']
  if (key !== undefined) lines.push(`Authorization: Bearer ${key}`)
  if (body !== undefined) {
    lines.push(
      `Content-Type: ${head.contentType ?? 'application/json'}`,
      `Content-Length: ${body.length}`,
    )
  }
  const top = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
  // A frame is read in place by the receiving side when it is 8-aligned; here only its size counts.
  return { bytes: Buffer.concat(body === undefined ? [top] : [top, body]), bodyAt: top.length }
}

/** `dev-00042`: of a fixed width, so that it can be rewritten in place. */
export const deviceName = (index: number): string => `dev-${String(index).padStart(5, '0')}`
export const putDevice = putDigits(5)
export const METRICS = ['temperature', 'pressure', 'flow', 'vibration'] as const
