import { PIECE_BYTES } from './format.ts'

/** Gathers text into pieces that are worth a write each. */
export class TextPieces {
  #text = ''

  get isFull(): boolean {
    return this.#text.length >= PIECE_BYTES
  }

  add(text: string): void {
    this.#text += text
  }

  take(): Buffer {
    const piece = Buffer.from(this.#text)
    this.#text = ''
    return piece
  }
}

/** The shortest text that reads back as the same float64; unlike `String`, with the sign of zero. */
export function numberText(value: number): string {
  return value === 0 && 1 / value < 0 ? '-0' : String(value)
}
