import type { AddressInfo } from 'node:net'
import { parseAddress, type Address } from '../config/address.ts'
import type { Config } from '../config/schema.ts'
import type { HttpApp } from '../http/app.ts'
import { WeirError } from '../ports/errors.ts'

const BACKLOG = 4096

/** Listens where the configuration says; resolves with the address, whose port may have been 0. */
export async function listenHttp({ http }: Config, app: HttpApp): Promise<Address> {
  const address = addressOf(http.address)
  // `reusePort` is node:net's, and Fastify hands it on.
  const how: { port: number; reusePort?: boolean } = { ...address, port: address.port }
  if (http.reusePort) how.reusePort = true
  await app.listen({ ...address, ...how, backlog: BACKLOG })
  return { host: address.host, port: (app.server.address() as AddressInfo).port }
}

/** @throws WeirError `config`. */
export function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new WeirError('config', `${text} is no HOST:PORT`)
  return address
}
