import type { ByteWriter } from './bytes.ts'
import { assignCodes, buildLengths, codeLengths, codes, writeLengths } from './huffman.ts'
import { MAX_BLOCK_POINTS } from './limits.ts'

/**
 * Symbols of an integer stream: 0..31 the value itself; 32..127 the bit length (6..53) and second
 * bit of a larger value, whose other bits follow; 128..142 the bit length of a run of zeros.
 */
export const SHORTEST_RUN = 4
/** A run of 2^b .. 2^(b+1)-1 zeros is symbol RUN_SYMBOL + b; b is at least 2. */
export const RUN_SYMBOL = 126
const SYMBOLS = RUN_SYMBOL + 17

export const extraBits = new Uint8Array(256).map((_, symbol) => {
  if (symbol < 32) return 0
  if (symbol < 128) return ((symbol - 32) >>> 1) + 4
  return symbol <= RUN_SYMBOL + 16 ? symbol - RUN_SYMBOL : 255
})

export const scratch = {
  symbols: new Uint8Array(MAX_BLOCK_POINTS),
  extras: new Uint32Array(MAX_BLOCK_POINTS),
  highExtras: new Uint32Array(MAX_BLOCK_POINTS),
  frequencies: new Int32Array(256),
}

/**
 * Writes `tokens` of `scratch`: the code table, then codes and extra bits. False when there are
 * fewer than two symbols or when more than `maxBytes` would be needed; the writer is then where
 * the caller must rewind it from.
 */
export function writeTokens(writer: ByteWriter, tokens: number, maxBytes: number): boolean {
  const { frequencies } = scratch
  const start = writer.at
  if (buildLengths(frequencies, tokens < 1024 ? 10 : 11) < 2) return false
  let total = 0
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    total += frequencies[symbol] * (codeLengths[symbol] + extraBits[symbol])
  }
  writeLengths(writer)
  if (writer.at - start + total / 8 > maxBytes) return false
  assignCodes()
  putTokens(writer, tokens)
  return true
}

/** Whole bytes leave the buffer after each token: no branch for the processor to guess. */
function putTokens(writer: ByteWriter, tokens: number): void {
  const { symbols, extras, highExtras } = scratch
  const { view } = writer
  let { at } = writer
  let buffer = 0
  let held = 0
  for (let i = 0; i < tokens; i++) {
    const symbol = symbols[i]
    const code = codes[symbol]
    buffer |= (code & 0xffff) << held
    held += code >>> 16
    view.setInt32(at, buffer, true)
    at += held >>> 3
    buffer >>>= held & 24
    held &= 7
    if (symbol < 32) continue
    let bits = extraBits[symbol]
    let extra = extras[i]
    if (bits > 32) {
      view.setInt32(at, buffer | (extra << held), true)
      at += 4
      buffer = held === 0 ? 0 : extra >>> (32 - held)
      bits -= 32
      extra = highExtras[i]
    }
    if (bits > 16) {
      buffer |= (extra & 0xffff) << held
      view.setUint16(at, buffer, true)
      at += 2
      buffer >>>= 16
      extra >>>= 16
      bits -= 16
    }
    buffer |= extra << held
    held += bits
    view.setInt32(at, buffer, true)
    at += held >>> 3
    buffer >>>= held & 24
    held &= 7
  }
  view.setUint8(at, buffer)
  writer.at = at + (held > 0 ? 1 : 0)
}
