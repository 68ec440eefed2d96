import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'

/** Fastify with the types of the routes' TypeBox schemas. */
export type HttpApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose data the request reads and writes. */
    tenant: string
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
  }
}

export const JSON_TYPE = 'application/json; charset=utf-8'
