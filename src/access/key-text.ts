import { hash, randomBytes } from 'node:crypto'

/** Without l, o, 0 and 1, which people mistake for each other. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'
const ID_CHARACTERS = 10
/** Of 5 bits each: 160 bits. */
const SECRET_CHARACTERS = 32
const KEY = /^weir_([a-km-np-z2-9]{10})_[a-km-np-z2-9]{32}$/
const MAX_KEY_CHARACTERS = 256
/** What a client may choose as its key: what fits into a path, a header and a user name. */
const CHOSEN = /^[\w.~-]{16,128}$/

/** A key as its owner has it, and the part of it that is no secret. */
export interface KeyText {
  readonly text: string
  readonly id: string
}

/** `weir_<id>_<secret>`: the prefix lets people and scanners recognise a leaked key. */
export function newKeyText(): KeyText {
  const id = randomText(ID_CHARACTERS)
  return { id, text: `weir_${id}_${randomText(SECRET_CHARACTERS)}` }
}

function randomText(characters: number): string {
  let text = ''
  for (const byte of randomBytes(characters)) text += ALPHABET[byte & 31]
  return text
}

/**
 * What is stored of a key. A plain SHA-256 is enough: a secret of 160 random bits cannot be guessed,
 * however fast the hash, while a slow one would cost every first request of a key its time.
 */
export function hashOfKey(text: string): string {
  return hash('sha256', text, 'hex')
}

/**
 * The id of whatever was presented as a key: the one inside of it, or for a key that its client
 * chose one that is made of its hash. Undefined where it cannot be a key.
 */
export function idOfKey(text: string): string | undefined {
  if (text.length > MAX_KEY_CHARACTERS) return undefined
  return KEY.exec(text)?.[1] ?? (CHOSEN.test(text) ? idOfChosen(text) : undefined)
}

/** Longer than the ids of other keys, so that the two never meet. */
export function idOfChosen(text: string): string {
  return `c${hashOfKey(text).slice(0, 15)}`
}

/** What is wrong with a key that a client chose, if anything. */
export function chosenKeyProblem(text: string): string | undefined {
  if (text.startsWith('weir_')) return 'must not begin with "weir_"'
  if (CHOSEN.test(text)) return undefined
  return 'must be 16 to 128 letters, digits, "-", ".", "_" or "~"'
}
