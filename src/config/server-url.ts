import { parseAddress } from './address.ts'

/** What is wrong with the url of a PostgreSQL server, if anything. Empty: Weir provides one. */
export function postgresUrlProblem(text: string): string | undefined {
  return urlProblem(text, ['postgres:', 'postgresql:'])
}

/** What is wrong with the url of a Redis server, if anything. Empty: Weir provides one. */
export function redisUrlProblem(text: string): string | undefined {
  return urlProblem(text, ['redis:', 'rediss:'])
}

/** What is wrong with one NATS server, a url or HOST:PORT, if anything. */
export function natsServerProblem(text: string): string | undefined {
  if (parseAddress(text) !== undefined) return undefined
  return urlProblem(text, ['nats:', 'tls:']) ?? (text === '' ? 'must not be empty' : undefined)
}

function urlProblem(text: string, protocols: readonly string[]): string | undefined {
  if (text === '') return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  const schemes = protocols.map(protocol => `${protocol}//`).join(' or ')
  if (url === undefined) return `is no url; it begins with ${schemes}`
  if (!protocols.includes(url.protocol)) return `does not begin with ${schemes}`
  // A socket's folder is given as ?host=, and then nothing stands here.
  if (url.hostname === '' && !url.searchParams.has('host')) return 'names no host'
  return undefined
}
