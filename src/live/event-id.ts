import { createCipheriv, createDecipheriv, hash, hkdfSync } from 'node:crypto'
import type { LogPosition } from '../ports/log.ts'

/** How the position of an event in the log is told to a subscriber, who sends it back to resume. */
export interface EventIds {
  encode(tenant: string, position: LogPosition): string
  /** Undefined for what is no id of that tenant. */
  decode(tenant: string, id: string): LogPosition | undefined
}

/** `partition-offset`, where there is one tenant. */
export const plainEventIds: EventIds = {
  encode: (_tenant, { partition, offset }) => `${partition}-${offset}`,
  decode(_tenant, id) {
    const match = /^(\d{1,9})-(\d{1,16})$/.exec(id)
    return match === null ? undefined : { partition: Number(match[1]), offset: Number(match[2]) }
  },
}

/**
 * Ids that say nothing: offsets count the batches of all tenants, and from the gaps between its own
 * ids a tenant could see how much the others send. One AES block holds a tag of the tenant,
 * partition and offset. `secret` stays the same over restarts, so that ids do too.
 */
export function sealedEventIds(secret: Uint8Array): EventIds {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'weir live event ids', 16))
  // A block at a time, each by itself: that is all there is to ECB, and all that is needed.
  const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false)
  const decipher = createDecipheriv('aes-128-ecb', key, null).setAutoPadding(false)
  const block = Buffer.alloc(16)
  let last = { tenant: '', partition: -1, offset: -1, id: '' }
  return {
    encode(tenant, { partition, offset }) {
      // All subscribers of a tenant get one event after the other.
      const isLast = last.offset === offset && last.partition === partition
      if (isLast && last.tenant === tenant) return last.id
      block.writeUInt32BE(tagOf(tenant), 0)
      block.writeUInt32BE(partition, 4)
      block.writeBigUInt64BE(BigInt(offset), 8)
      last = { tenant, partition, offset, id: cipher.update(block).toString('hex') }
      return last.id
    },
    decode(tenant, id) {
      if (!/^[\da-f]{32}$/.test(id)) return undefined
      const open = decipher.update(Buffer.from(id, 'hex'))
      if (open.readUInt32BE(0) !== tagOf(tenant)) return undefined
      return { partition: open.readUInt32BE(4), offset: Number(open.readBigUInt64BE(8)) }
    },
  }
}

function tagOf(tenant: string): number {
  return hash('sha256', tenant, 'buffer').readUInt32BE(0)
}
