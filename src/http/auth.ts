import type { FastifyContextConfig, FastifyRequest } from 'fastify'
import { reaches, type Access, type Scope } from '../model/access.ts'
import type { LimitState } from '../access/rate-limits.ts'
import { HttpProblem } from './problem.ts'
import type { HostServices } from './services.ts'

/** `operator`: `admin` of the tenant that runs the node; `none`: everybody. */
export type RouteScope = Scope | 'operator' | 'none'

/**
 * What the request may do; where no key is asked for, whatever it brings, everything.
 *
 * @throws HttpProblem 401 without a key that works, 403 when the key does not allow it, 429 when
 *   it has done enough for now.
 */
export function accessOf(services: HostServices, request: FastifyRequest): Access {
  const { access } = services
  if (access.open !== undefined) return access.open
  const config = request.routeOptions.config
  const key = presentedKey(request, config)
  const found = key === undefined ? undefined : access.verify(key)
  if (found === undefined) throw unauthorized()
  mustAllow(found, config.scope ?? 'operator')
  if (found.device !== undefined) mustReach(found.device, request, config)
  const spent = access.limits.take(found, config.scope === 'ingest')
  if (spent !== undefined) throw tooMany(spent)
  return found
}

function tooMany(state: LimitState): HttpProblem {
  const { limit, quota, windowSeconds, retryAfterMs } = state
  const what = limit.includes('Points') ? 'points' : 'requests'
  const detail = `the key has used its ${quota} ${what} in ${windowSeconds} s`
  const headers = {
    'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
    ...limitHeaders([state]),
  }
  return new HttpProblem(429, detail, { limit, headers })
}

/** `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10. */
export function limitHeaders(states: readonly LimitState[]): Record<string, string> {
  const list = (of: (state: LimitState) => string): string =>
    states.map(state => `"${state.limit}";${of(state)}`).join(', ')
  return {
    'ratelimit-policy': list(({ quota, windowSeconds }) => `q=${quota};w=${windowSeconds}`),
    ratelimit: list(({ left, retryAfterMs }) => `r=${left};t=${Math.ceil(retryAfterMs / 1000)}`),
  }
}

/**
 * Where a key is not known, but another process may have just issued it: resolves when it is worth
 * looking again. Undefined where it is not.
 */
export function learnKey(
  { access }: HostServices,
  request: FastifyRequest,
  error: unknown,
): Promise<void> | undefined {
  if (!(error instanceof HttpProblem) || error.status !== 401) return undefined
  const key = presentedKey(request, request.routeOptions.config)
  return key === undefined ? undefined : access.learn(key)
}

/**
 * The same answer whatever is wrong with the key, so that nobody finds out by trying whether one
 * exists, has expired or belongs to somebody else.
 */
function unauthorized(): HttpProblem {
  return new HttpProblem(401, 'a key is needed that works: Authorization: Bearer KEY', {
    headers: { 'www-authenticate': 'Bearer realm="Weir"' },
  })
}

export function mustAllow({ scopes, isOperator }: Access, scope: RouteScope): void {
  const needed = scope === 'operator' ? 'admin' : scope
  if (needed === 'none') return
  if (!scopes.includes(needed)) throw new HttpProblem(403, `the key lacks the scope ${needed}`)
  if (scope === 'operator' && !isOperator) {
    throw new HttpProblem(403, 'this is for keys of the tenant that runs the node')
  }
}

function mustReach(device: string, request: FastifyRequest, config: FastifyContextConfig): void {
  const { deviceKeys } = config
  if (deviceKeys === 'handler') return
  if (deviceKeys === undefined) {
    throw new HttpProblem(403, 'this is not for keys of one device')
  }
  const asked = (request.params as Record<string, string | undefined>)[deviceKeys]
  if (asked !== device) throw notTheDevice(device)
}

/** @throws HttpProblem 403 when one of the devices that are asked for is not that of the key. */
export function mustReachAll(access: Access, devices: Iterable<string>): void {
  for (const id of devices) if (!reaches(access, id)) throw notTheDevice(access.device ?? '')
}

/**
 * The device that a list is narrowed to: the one asked for, or that of the key.
 *
 * @throws HttpProblem 403 when another one is asked for.
 */
export function deviceAsked(access: Access, asked: string | undefined): string | undefined {
  if (asked !== undefined) mustReachAll(access, [asked])
  return asked ?? access.device
}

function notTheDevice(device: string): HttpProblem {
  return new HttpProblem(403, `the key is for device ${JSON.stringify(device)} only`)
}

const SCHEME = /^(bearer|token|basic) +(\S+) *$/i

/** The key of a request, wherever its client puts it. */
function presentedKey(request: FastifyRequest, config: FastifyContextConfig): string | undefined {
  const { authorization, 'x-api-key': apiKey } = request.headers
  if (authorization !== undefined) {
    const [, scheme, credentials] = SCHEME.exec(authorization) ?? []
    if (scheme === undefined) return undefined
    return scheme.toLowerCase() === 'basic' ? basicKey(credentials) : credentials
  }
  if (typeof apiKey === 'string') return apiKey
  const { keyIn } = config
  if (keyIn === undefined) return undefined
  const place = keyIn.path === undefined ? request.query : request.params
  const value = (place as Record<string, unknown>)[keyIn.path ?? keyIn.query]
  return typeof value === 'string' ? value : undefined
}

/** The password (RFC 7617): InfluxDB 1.x clients have a user name too, which says nothing here. */
function basicKey(credentials: string): string | undefined {
  const text = Buffer.from(credentials, 'base64').toString()
  const colon = text.indexOf(':')
  if (colon < 0) return undefined
  // `curl -u KEY:` leaves the password empty.
  return text.slice(colon + 1) || text.slice(0, colon)
}
