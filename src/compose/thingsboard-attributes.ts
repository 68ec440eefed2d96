import { readAttributes } from '../ingest/dialects/thingsboard.ts'
import type { Rejection } from '../model/rejection.ts'
import type { TelemetryMessage } from '../mqtt/options.ts'
import { WeirError } from '../ports/errors.ts'
import type { attributeKeeper } from './attribute-keeper.ts'
import type { ResolveToken } from './token-resolver.ts'

export interface AttributeParts {
  readonly tenant: string
  readonly resolveToken: ResolveToken
  readonly setAttributes: ReturnType<typeof attributeKeeper>
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
  { tenant, resolveToken, setAttributes }: AttributeParts,
): Promise<string | undefined> {
  const isGateway = target.dialect === 'thingsboard gateway attributes'
  const named = isGateway || user === undefined ? undefined : resolveToken(user)
  if (!isGateway && named?.tenant !== tenant) return tokenProblem(user)
  const read = readAttributes(payload, isGateway)
  if ('problem' in read) return read.problem
  for (const [device = named?.device ?? '', attributes] of read.sets) {
    try {
      await setAttributes(tenant, device, attributes)
    } catch (error) {
      if (!(error instanceof WeirError)) throw error
      if (error.kind !== 'rejected' && error.kind !== 'not_found') throw error
      return error.message
    }
  }
  return undefined
}

export const tokenProblem = (user: string | undefined): string =>
  user === undefined
    ? 'the client gave no user name: it is the token that says which device it is'
    : 'the user name of the client is no known token'
