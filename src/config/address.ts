import { isIP } from 'node:net'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Reads `HOST:PORT` or `[IPv6]:PORT`; undefined where it is neither. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, ipv6, name, digits] = match
  const port = Number(digits)
  if (port > 65_535) return undefined
  if (ipv6 !== undefined) return isIP(ipv6) === 6 ? { host: ipv6, port } : undefined
  return name === undefined ? undefined : { host: name, port }
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether only programs on the same machine reach it. A name other than localhost may be anything. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}
