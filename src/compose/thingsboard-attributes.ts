import { readAttributes } from '../ingest/dialects/thingsboard.ts'
import { reaches, type Access } from '../model/access.ts'
import type { Rejection } from '../model/rejection.ts'
import type { TelemetryMessage } from '../mqtt/options.ts'
import { WeirError } from '../ports/errors.ts'
import type { attributeKeeper } from './attribute-keeper.ts'

export type KeepAttributes = ReturnType<typeof attributeKeeper>

export interface AttributeParts {
  readonly sender: Access
  readonly setAttributes: KeepAttributes
}

/**
 * The device that a client of ThingsBoard is: that of its key. Where nobody has keys, its user
 * name, which is its token there, is the name of the device.
 */
export function ownDevice({ keyId, device }: Access, user: string | undefined): string | undefined {
  return keyId === undefined ? user || undefined : device
}

/**
 * Keeps the attributes among the messages, in their order, and resolves to what was refused. Rejects
 * when the catalog fails: the messages come again.
 */
export async function keepAttributes(
  messages: readonly TelemetryMessage[],
  parts: AttributeParts,
): Promise<readonly Rejection[]> {
  const refused: Rejection[] = []
  for (let index = 0; index < messages.length; index++) {
    const { dialect } = messages[index].target
    if (dialect !== 'thingsboard attributes' && dialect !== 'thingsboard gateway attributes') {
      continue
    }
    const detail = await keep(messages[index], parts)
    if (detail === undefined) continue
    refused.push({ index, field: '', detail, reason: 'malformed', points: 0 })
  }
  return refused
}

/** What was wrong, if anything. */
async function keep(
  { target, payload, user }: TelemetryMessage,
  { sender, setAttributes }: AttributeParts,
): Promise<string | undefined> {
  const isGateway = target.dialect === 'thingsboard gateway attributes'
  const own = isGateway ? undefined : ownDevice(sender, user)
  if (!isGateway && own === undefined) return noDevice(sender)
  const read = readAttributes(payload, isGateway)
  if ('problem' in read) return read.problem
  for (const [device = own ?? '', attributes] of read.sets) {
    if (!reaches(sender, device)) return `this key may write ${JSON.stringify(sender.device)} only`
    try {
      await setAttributes(sender.tenant, device, attributes)
    } catch (error) {
      if (!(error instanceof WeirError)) throw error
      if (error.kind !== 'rejected' && error.kind !== 'not_found') throw error
      return error.message
    }
  }
  return undefined
}

/** Why a client has no `ownDevice`. */
export const noDevice = ({ keyId }: Access): string =>
  keyId === undefined
    ? 'the client gave no user name: it is the token that says which device it is'
    : 'the key of the client is not of one device'
