import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'

/**
 * How far somebody has come in the log: by partition the newest offset that came, -1 where none has.
 * All of them, because processes see the entries of several partitions in orders of their own.
 */
export type Places = ReadonlyMap<number, number>

/** How places in the log are told to a subscriber, who sends them back to resume. */
export interface EventIds {
  encode(tenant: string, places: Places): string
  /** Undefined for what is no id of that tenant. */
  decode(tenant: string, id: string): Places | undefined
}

/** `partition-offset`, with points between several, where there is one tenant. */
export const plainEventIds: EventIds = {
  encode(_tenant, places) {
    let id = ''
    for (const [partition, offset] of places) {
      if (offset >= 0) id += `${id === '' ? '' : '.'}${partition}-${offset}`
    }
    return id
  },
  decode(_tenant, id) {
    if (!/^\d{1,9}-\d{1,16}(\.\d{1,9}-\d{1,16})*$/.test(id)) return undefined
    return new Map(
      id.split('.').map(place => {
        const [partition, offset] = place.split('-').map(Number)
        return [partition, offset] as const
      }),
    )
  },
}

const TAG_BYTES = 16
/** Partition and offset. */
const PLACE_BYTES = 12

/**
 * Ids that say nothing: offsets count the batches of all tenants, and from the gaps between its own
 * ids a tenant could see how much the others send. The places are enciphered by AES in counter mode,
 * begun at a tag of tenant and places, which also proves them: so nothing of two ids is the same
 * unless all is (the way of RFC 5297). `secret` stays the same over restarts, so that ids do too.
 */
export function sealedEventIds(secret: Uint8Array): EventIds {
  const keyFor = (use: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', use, 16))
  const key = keyFor('weir live event ids')
  const tagKey = keyFor('weir live event id tags')
  const tagOf = (tenant: string, places: Uint8Array): Buffer =>
    createHmac('sha256', tagKey)
      .update(`${tenant}\0`)
      .update(places)
      .digest()
      .subarray(0, TAG_BYTES)
  return {
    encode(tenant, places) {
      const bytes = bytesOf(places)
      const tag = tagOf(tenant, bytes)
      const cipher = createCipheriv('aes-128-ctr', key, tag)
      return Buffer.concat([tag, cipher.update(bytes)]).toString('base64url')
    },
    decode(tenant, id) {
      const sealed = Buffer.from(id, 'base64url')
      const isOne = sealed.length >= TAG_BYTES && sealed.toString('base64url') === id
      if (!isOne) return undefined
      const tag = sealed.subarray(0, TAG_BYTES)
      const bytes = createDecipheriv('aes-128-ctr', key, tag).update(sealed.subarray(TAG_BYTES))
      return tag.equals(tagOf(tenant, bytes)) ? placesIn(bytes) : undefined
    },
  }
}

function bytesOf(places: Places): Buffer {
  const bytes = Buffer.alloc(places.size * PLACE_BYTES)
  let at = 0
  for (const [partition, offset] of places) {
    bytes.writeUInt32BE(partition, at)
    bytes.writeBigInt64BE(BigInt(offset), at + 4)
    at += PLACE_BYTES
  }
  return bytes
}

function placesIn(bytes: Buffer): Places {
  const places = new Map<number, number>()
  for (let at = 0; at < bytes.length; at += PLACE_BYTES) {
    places.set(bytes.readUInt32BE(at), Number(bytes.readBigInt64BE(at + 4)))
  }
  return places
}
