import { isUtf8 } from 'node:buffer'
import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { findJsonError } from './json-error.ts'
import { HttpProblem, type ProblemItem } from './problem.ts'

const LISTED_ERRORS = 100

export type BodyValidator = (body: unknown) => { value: unknown } | { error: HttpProblem }

/** Parses a body and checks it against the route's schema, which is compiled at its first use. */
export function bodyValidator(schema: TSchema): BodyValidator {
  let compiled: Validator | undefined
  return body => {
    compiled ??= Compile(schema)
    let value: unknown
    try {
      value = parseJson(body as Buffer | null)
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error
      return { error }
    }
    if (compiled.Check(value)) return { value }
    const errors = compiled.Errors(value).flatMap(itemsOf).slice(0, LISTED_ERRORS)
    const [first] = errors
    const detail = first === undefined ? 'the body is not as documented' : sentence(first)
    return { error: new HttpProblem(400, detail, { errors }) }
  }
}

const sentence = ({ field, detail }: ProblemItem): string =>
  field === '' ? `the body ${detail}` : `${field} ${detail}`

/** @throws HttpProblem 400 that says where. */
export function parseJson(body: Buffer | null): unknown {
  mustBeText(body)
  const text = body.toString()
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw malformedJson(text)
    throw error
  }
}

/** @throws HttpProblem 400 when there is nothing, or bytes that are not UTF-8. */
export function mustBeText(body: Buffer | null | undefined): asserts body is Buffer {
  if (body === undefined || body === null || body.length === 0)
    throw new HttpProblem(400, 'the body is empty')
  // Decoding would put U+FFFD in place of what was sent.
  if (!isUtf8(body)) throw new HttpProblem(400, 'the body is not UTF-8')
}

/** `JSON.parse` rejected the text; this says where. */
export function malformedJson(text: string): HttpProblem {
  const { position, line, column, detail } = findJsonError(text)
  const where = `${detail} at position ${position} (line ${line}, column ${column})`
  return new HttpProblem(400, `the body is not JSON: ${where}`, {
    errors: [{ index: 0, field: '', detail: where }],
  })
}

interface SchemaError {
  readonly keyword: string
  readonly instancePath: string
  readonly params: object
  readonly message: string
}

function itemsOf(error: SchemaError): ProblemItem[] {
  const { keyword, instancePath, message } = error
  const params = error.params as Record<string, unknown>
  const field = instancePath.slice(1).replaceAll('/', '.')
  const each = (names: unknown, detail: string): ProblemItem[] =>
    (names as string[]).map(name => ({
      index: 0,
      field: field === '' ? name : `${field}.${name}`,
      detail,
    }))
  if (keyword === 'required') return each(params.requiredProperties, 'is missing')
  if (keyword === 'additionalProperties') return each(params.additionalProperties, 'is not known')
  // `additionalProperties: false` reports each property once more, as a false schema.
  if (keyword === 'boolean' || keyword === 'anyOf') return []
  return [{ index: 0, field, detail: message }]
}
