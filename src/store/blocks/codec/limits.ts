/** What one block can hold; a decoder allocates no more than these, whatever the bytes say. */
export const MAX_BLOCK_POINTS = 65_536
export const MAX_TEXT_BYTES = 1 << 28
/** Times are 0..2^53 microseconds, both included. */
export const MAX_TIME = 2 ** 53
/** A decimal is m / 10^digits; the powers are exact. */
export const MAX_DIGITS = 9
export const powers = Float64Array.from({ length: MAX_DIGITS + 1 }, (_, digits) => 10 ** digits)
