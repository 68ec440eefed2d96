/** The bytes are not a block, or the points cannot be one; the message says what is wrong. */
export class BlockError extends Error {
  override readonly name = 'BlockError'
}
