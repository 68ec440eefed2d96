import Type from 'typebox'
import { SCOPES, type KeyLimits } from '../model/access.ts'
import { keyState, type Key } from '../model/key.ts'
import { isoFromTime } from '../model/time.ts'
import { badParameter } from './problem.ts'
import { timeParameter } from './query-params.ts'
import { isoTimeSchema, nullable } from './schemas.ts'

/** Keys as the API takes and shows them; the routes of keys and of credentials share it. */

const scopesSchema = Type.Array(Type.Enum([...SCOPES]))
const limit = (what: string) =>
  Type.Integer({ minimum: 0, description: `${what}; absent: as configured, 0: no limit` })

const keyFields = {
  id: Type.String({ description: 'The part of the key that is no secret' }),
  name: nullable(Type.String()),
  scopes: scopesSchema,
  device_id: nullable(Type.String({ description: 'The only device that it may write and read' })),
  requests_per_second: nullable(Type.Integer()),
  points_per_second: nullable(Type.Integer()),
  state: Type.Enum(['active', 'expired', 'revoked']),
  created_at: isoTimeSchema,
  expires_at: nullable(isoTimeSchema),
  revoked_at: nullable(isoTimeSchema),
  last_used: nullable(Type.String({ format: 'date-time', description: 'A minute or so coarse' })),
}

export const keySchema = Type.Object(keyFields, { additionalProperties: false })

export const issuedSchema = Type.Object(
  { ...keyFields, key: Type.String({ description: 'The key itself: shown now and never again' }) },
  { additionalProperties: false },
)

/** What both ways to issue a key take. */
export const issueFields = {
  name: Type.Optional(Type.String()),
  expires_at: Type.Optional(Type.String({ description: 'Absent: it does not expire' })),
  requests_per_second: Type.Optional(limit('Requests, or MQTT messages')),
  points_per_second: Type.Optional(limit('Points')),
  token: Type.Optional(
    Type.String({ description: 'A key that the client has already, of 16 characters or more' }),
  ),
}

export const newKeyScopes = scopesSchema

export const overlapSchema = Type.Object({
  overlap_seconds: Type.Integer({
    minimum: 0,
    default: 86_400,
    description: 'How long the old key works on; 0: not at all',
  }),
})

export interface IssueFields {
  readonly name?: string | undefined
  readonly expires_at?: string | undefined
  readonly requests_per_second?: number | undefined
  readonly points_per_second?: number | undefined
  readonly token?: string | undefined
}

/** @throws HttpProblem 400 for an `expires_at` that is no time, or not in the future. */
export function issueInput(fields: IssueFields, nowMs: number) {
  const { name, expires_at, requests_per_second, points_per_second, token } = fields
  let expiresInMs: number | undefined
  if (expires_at !== undefined) {
    expiresInMs = Math.floor(timeParameter(expires_at, 'expires_at') / 1000) - nowMs
    if (expiresInMs <= 0) throw badParameter('expires_at', 'must be in the future')
  }
  const limits: KeyLimits = {
    ...(requests_per_second === undefined ? {} : { requestsPerSecond: requests_per_second }),
    ...(points_per_second === undefined ? {} : { pointsPerSecond: points_per_second }),
  }
  return { name, expiresInMs, limits, chosen: token }
}

export function shownKey(key: Key, nowMs: number): object {
  const time = (ms: number | undefined): string | null =>
    ms === undefined ? null : isoFromTime(Math.round(ms) * 1000)
  return {
    id: key.id,
    name: key.name ?? null,
    scopes: key.scopes,
    device_id: key.device ?? null,
    requests_per_second: key.limits.requestsPerSecond ?? null,
    points_per_second: key.limits.pointsPerSecond ?? null,
    state: keyState(key, nowMs),
    created_at: time(key.createdAtMs),
    expires_at: time(key.expiresAtMs),
    revoked_at: time(key.revokedAtMs),
    last_used: time(key.lastUsedMs),
  }
}
