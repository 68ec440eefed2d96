const NONE = Buffer.alloc(0)

/**
 * What a connection's client sends with each request, as its key and the name it calls. As long as it
 * is the same it is one string, whose hash look-ups do not have to make again.
 */
export class RepeatedText {
  #bytes: Uint8Array = NONE
  #text = ''

  /** The text of `bytes[start..end)`. */
  read(bytes: Buffer, start: number, end: number): string {
    if (!this.#isSame(bytes, start, end)) {
      this.#bytes = Uint8Array.prototype.slice.call(bytes, start, end)
      this.#text = bytes.toString('latin1', start, end)
    }
    return this.#text
  }

  #isSame(bytes: Buffer, start: number, end: number): boolean {
    const known = this.#bytes
    if (known.length !== end - start) return false
    for (let i = 0; i < known.length; i++) if (known[i] !== bytes[start + i]) return false
    return true
  }
}
