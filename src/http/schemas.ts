import Type from 'typebox'

/** Schemas that several routes share. */

export const isoTimeSchema = Type.String({ format: 'date-time', description: 'ISO 8601, UTC' })

export const unitSchema = Type.String({ description: 'Where it is known: told, or declared' })

export const deviceParamSchema = Type.Object({
  device_id: Type.String({ description: 'The device, percent-encoded' }),
})

export const timeSchema = Type.Union([Type.String(), Type.Number()], {
  description: 'ISO 8601, or a number of s, ms, µs or ns (told by magnitude)',
})

export const metricsSchema = Type.Record(Type.String(), Type.Unknown(), {
  description: 'Numbers, booleans and strings by name; nested objects become dotted names',
})

export const messageSchema = Type.Object({
  device_id: Type.String(),
  timestamp: Type.Optional(timeSchema),
  data: metricsSchema,
})

export const rowBatchSchema = Type.Object({
  device_id: Type.String(),
  data: Type.Array(
    Type.Record(Type.String(), Type.Unknown(), { description: '{timestamp, …metrics}' }),
  ),
})

export const columnBatchSchema = Type.Object({
  device_id: Type.String(),
  timestamps: Type.Array(timeSchema),
  metrics: Type.Record(Type.String(), Type.Array(Type.Unknown())),
})

export const rejectedSchema = Type.Array(
  Type.Object(
    {
      index: Type.Integer({ description: 'Place of the item in the request, from 0' }),
      field: Type.String({ description: 'Dotted path in the item; empty for all of it' }),
      detail: Type.String(),
    },
    { additionalProperties: false },
  ),
)

export const outcomeSchema = Type.Object(
  {
    accepted: Type.Integer({ description: 'Points that are durable now' }),
    flagged: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'How many of them are not as the product of their device declares',
      }),
    ),
    rejected: rejectedSchema,
  },
  { additionalProperties: false },
)

export const nullable = <T extends import('typebox').TSchema>(schema: T) =>
  Type.Union([schema, Type.Null()])
