import type { Format } from '../format.ts'
import type { Mapping } from '../mapping.ts'

/** A piece of a file that makes sense alone, and is sent as a request of its own. */
export interface ImportPart {
  readonly format: Format
  readonly mapping: Mapping
  readonly body: Buffer
  /** The row of the file, from 0, of a row that an answer names. */
  readonly rowOf: (index: number) => number
  /** Points that were refused here already: Weir could not be told them. */
  readonly refused: readonly {
    readonly row: number
    readonly field: string
    readonly detail: string
  }[]
  /** How much of the file is in this part and those before, 0 to 1. */
  readonly done: number
}

/** Large enough to make little of a request's cost, small enough to show how it goes on. */
export const PART_BYTES = 4 << 20
/** Nothing that ends is longer: most likely a quote is never closed, or it is no text. */
export const MAX_PART_BYTES = 32 << 20
