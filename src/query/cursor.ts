/** Where a page ended. Opaque to clients: base64url of `v1,order,time`. */
export interface Cursor {
  readonly order: 'asc' | 'desc'
  readonly timeUs: number
}

export function encodeCursor({ order, timeUs }: Cursor): string {
  return Buffer.from(`v1,${order},${timeUs}`).toString('base64url')
}

/** Undefined when the text is no cursor. */
export function decodeCursor(text: string): Cursor | undefined {
  const match = /^v1,(asc|desc),(\d{1,16})$/.exec(Buffer.from(text, 'base64url').toString())
  if (match === null) return undefined
  return { order: match[1] === 'asc' ? 'asc' : 'desc', timeUs: Number(match[2]) }
}
