import { isIP } from 'node:net'

/** What a browser says of a request beside what its page wants. */
export interface AskedBy {
  readonly host?: string | undefined
  readonly origin?: string | undefined
}

export type IsForeign = (headers: AskedBy) => boolean

/**
 * Tells the requests that a web page of somebody else makes in a browser which can reach this server: those
 * from another origin (RFC 6454; programs send no `Origin`), and those by a name that is not this
 * server's and that somebody has let point here (DNS rebinding). Addresses, `localhost` and names
 * without a dot are nobody's to give away. `names` are the others it has; undefined: it may have any.
 */
export function foreignPages(names: readonly string[] | undefined): IsForeign {
  let known = ''
  return ({ host = '', origin }) => {
    if (host !== known) {
      if (names !== undefined && !isOwn(host, names)) return true
      known = host
    }
    return origin !== undefined && placeOf(origin) !== host.toLowerCase()
  }
}

function isOwn(host: string, names: readonly string[]): boolean {
  const name = host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase()
  if (/^[^.]*$|\.localhost$/.test(name)) return true
  return isIP(name) === 4 || /^\[.*\]$/.test(name) || names.includes(name)
}

/** `host:port` as the header `Host` has it; undefined for `null`, which a page without a place sends. */
const placeOf = (origin: string): string | undefined =>
  /^[a-z][a-z\d+.-]*:\/\/(.+)$/.exec(origin.toLowerCase())?.[1]
