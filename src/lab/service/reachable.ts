import { connect } from 'node:net'

const TIMEOUT_MS = 3000

/** Why no connection to `http://HOST:PORT` can be had; undefined: it can. */
export function whyUnreachable(url: string): Promise<string | undefined> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return new Promise(resolve => {
    const socket = connect({ host, port: port === '' ? 80 : Number(port), timeout: TIMEOUT_MS })
    const end = (why?: string): void => {
      socket.destroy()
      resolve(why === undefined ? undefined : `nobody answers at ${url}: ${why}`)
    }
    socket.on('connect', () => end())
    socket.on('timeout', () => end(`no connection in ${TIMEOUT_MS} ms`))
    socket.on('error', error => end(error.message))
  })
}
