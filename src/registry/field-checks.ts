import type { Attributes } from '../model/device.ts'
import { WeirError } from '../ports/errors.ts'
import { isDeeper, isObject, mergePatch } from './merge-patch.ts'

const MAX_ATTRIBUTE_BYTES = 65_536
const MAX_ATTRIBUTE_DEPTH = 32

/** @throws WeirError `rejected`, naming the field, when there is a problem. */
export function refuse(field: string, problem: string | undefined): void {
  if (problem !== undefined) throw new WeirError('rejected', `${field} ${problem}`)
}

/** What is left of a field after a merge patch: absent leaves it as it is, null clears it. */
export function patched<T>(before: T | undefined, patch: T | null | undefined): T | undefined {
  return patch === undefined ? before : (patch ?? undefined)
}

/** @throws WeirError `rejected`. */
export function patchedAttributes(
  before: Attributes,
  patch: Attributes | null | undefined,
): Attributes {
  if (patch === undefined) return before
  if (patch === null) return {}
  refuse('attributes', attributesProblem(patch))
  return mergePatch(before, patch)
}

export function attributesProblem(attributes: unknown): string | undefined {
  if (!isObject(attributes)) return 'must be an object'
  // First the depth: JSON.stringify is recursive.
  if (isDeeper(attributes, MAX_ATTRIBUTE_DEPTH)) {
    return `must not be nested deeper than ${MAX_ATTRIBUTE_DEPTH} levels`
  }
  if (Buffer.byteLength(JSON.stringify(attributes)) <= MAX_ATTRIBUTE_BYTES) return undefined
  return `must not be longer than ${MAX_ATTRIBUTE_BYTES} bytes of JSON`
}

export function intervalProblem(intervalMs: number | undefined): string | undefined {
  if (intervalMs === undefined || (Number.isFinite(intervalMs) && intervalMs > 0)) return undefined
  return 'must be a number above 0'
}
