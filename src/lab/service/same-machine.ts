import type { IncomingMessage } from 'node:http'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

/**
 * Whether a request may come in. A web page of anyone, open in a browser on this machine, could
 * otherwise start a load: by a request to 127.0.0.1 (its `Origin` then differs from the host), or by
 * a name of its own that it lets point there (its `Host` then is that name).
 */
export function isTrusted(
  { headers }: Pick<IncomingMessage, 'headers'>,
  { anyHost }: { readonly anyHost: boolean },
): boolean {
  const { host = '', origin } = headers
  if (!anyHost && !LOOPBACK.test(host)) return false
  if (origin === undefined) return true
  const asked = hostOf(`http://${host}`)
  return asked !== undefined && hostOf(origin) === asked
}

const hostOf = (url: string): string | undefined =>
  URL.canParse(url) ? new URL(url).host : undefined
