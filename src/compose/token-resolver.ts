import type { Config } from '../config/schema.ts'

/** The device that an access token of ThingsBoard clients stands for; undefined: none. */
export type ResolveToken = (
  token: string,
) => { readonly tenant: string; readonly device: string } | undefined

/** In open mode nobody has keys, and the token is the name of the device. */
export function tokenResolver({ ingest: { tenant } }: Config): ResolveToken {
  return token => (token === '' ? undefined : { tenant, device: token })
}
