import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { Access } from '../model/access.ts'
import type { RouteScope } from './auth.ts'

/** Fastify with the types of the routes' TypeBox schemas. */
export type HttpApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Takes no new connections and lets those that are open end, each with its next answer;
     * resolves when none is left, at the latest after `timeoutMs`. `close` follows.
     */
    drain: (timeoutMs: number) => Promise<void>
  }

  interface FastifyRequest {
    /** What the request may do; not set on routes of scope `none`. */
    access: Access
    /** Whose data the request reads and writes: of `access`. */
    readonly tenant: string
  }

  /** What else a route's schema says, for the OpenAPI document. */
  interface FastifySchema {
    summary?: string
    description?: string
    tags?: readonly string[]
  }

  interface FastifyContextConfig {
    /**
     * The handler takes the body as it came (`Buffer`, unpacked, undefined when empty) and checks
     * it itself: the media types that the OpenAPI document names for it.
     */
    rawBody?: readonly string[]
    /** The handler takes the body as the stream that it comes in, packed or not. */
    streamBody?: boolean
    /** Query parameters that the route does not know are let through (probes and scrapers add some). */
    anyQuery?: boolean
    /** What a key needs for the route. Absent: `operator`, but every route should say. */
    scope?: RouteScope
    /**
     * How keys of one device are held to it: the path parameter that names the device, or
     * `handler` where the handler looks at `access.device`. Absent: they may not use the route.
     */
    deviceKeys?: string
    /** Where the key may be besides the header fields: for clients that put it there. */
    keyIn?:
      | { readonly query: string; readonly path?: undefined }
      | { readonly path: string; readonly query?: undefined }
  }
}

export const JSON_TYPE = 'application/json; charset=utf-8'
