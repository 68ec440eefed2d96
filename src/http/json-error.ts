export interface JsonError {
  /** UTF-16 units from the start. */
  readonly position: number
  readonly line: number
  readonly column: number
  readonly detail: string
}

/**
 * Where a text stops being JSON. `JSON.parse` says so only sometimes, and in words that differ by
 * engine version; clients get this instead. Only called for text that `JSON.parse` refused.
 */
export function findJsonError(text: string): JsonError {
  const position = scan(text)
  const before = text.slice(0, position)
  const lineStart = before.lastIndexOf('\n') + 1
  const line = before.split('\n').length
  const character = String.fromCodePoint(text.codePointAt(position) ?? 0)
  const detail =
    position >= text.length
      ? 'unexpected end'
      : `unexpected ${/[^\p{Cc}\p{Cs}]/u.test(character) ? character : JSON.stringify(character)}`
  return { position, line, column: position - lineStart + 1, detail }
}

const DIGITS = /\d*/y
const SPACE = /[ \t\n\r]*/y
const LITERALS = ['true', 'false', 'null']

/** The place of the first character that cannot be; a stack of brackets, so any depth is safe. */
function scan(text: string): number {
  const open: string[] = []
  let at = skip(SPACE, text, 0)
  let expect: 'value' | 'key' | 'after' = 'value'
  let mayClose = false
  for (;;) {
    const c = text[at]
    if (expect === 'after') {
      if (open.length === 0 || c === undefined) return at
      const closing = open[open.length - 1]
      if (c === closing) open.pop()
      else if (c !== ',') return at
      else {
        expect = closing === '}' ? 'key' : 'value'
        mayClose = false
      }
      at = skip(SPACE, text, at + 1)
      continue
    }
    if (mayClose && c === open[open.length - 1]) {
      expect = 'after'
      continue
    }
    mayClose = false
    if (expect === 'key') {
      const end = string(text, at)
      if (end < 0) return ~end
      at = skip(SPACE, text, end)
      if (text[at] !== ':') return at
      at = skip(SPACE, text, at + 1)
      expect = 'value'
      continue
    }
    if (c === '{' || c === '[') {
      open.push(c === '{' ? '}' : ']')
      expect = c === '{' ? 'key' : 'value'
      mayClose = true
      at = skip(SPACE, text, at + 1)
      continue
    }
    const end = scalar(text, at)
    if (end < 0) return ~end
    at = skip(SPACE, text, end)
    expect = 'after'
  }
}

/** The end of a string, number or literal; the complement of the wrong place when it is none. */
function scalar(text: string, at: number): number {
  if (text[at] === '"') return string(text, at)
  const literal = LITERALS.find(word => text[at] === word[0])
  if (literal !== undefined) {
    let i = 0
    while (i < literal.length && text[at + i] === literal[i]) i++
    return i === literal.length ? at + i : ~(at + i)
  }
  return number(text, at)
}

function number(text: string, from: number): number {
  const start = text[from] === '-' ? from + 1 : from
  let at = text[start] === '0' ? start + 1 : skip(DIGITS, text, start)
  if (at === start) return ~at
  if (text[at] === '.') {
    const fraction = at + 1
    at = skip(DIGITS, text, fraction)
    if (at === fraction) return ~at
  }
  if (text[at] !== 'e' && text[at] !== 'E') return at
  const sign = text[at + 1]
  const exponent = sign === '-' || sign === '+' ? at + 2 : at + 1
  at = skip(DIGITS, text, exponent)
  return at === exponent ? ~at : at
}

const STRING_STOP = /["\\\u0000-\u001f]/g

function string(text: string, at: number): number {
  if (text[at] !== '"') return ~at
  STRING_STOP.lastIndex = at + 1
  for (let stop = STRING_STOP.exec(text); stop !== null; stop = STRING_STOP.exec(text)) {
    const { index } = stop
    if (stop[0] === '"') return index + 1
    if (stop[0] !== '\\') return ~index
    const escape = text[index + 1]
    if (escape === 'u') {
      for (let i = 2; i < 6; i++) if (!/[\da-f]/i.test(text[index + i] ?? '')) return ~(index + i)
      STRING_STOP.lastIndex = index + 6
    } else if (escape !== undefined && '"\\/bfnrt'.includes(escape)) {
      STRING_STOP.lastIndex = index + 2
    } else return ~(index + 1)
  }
  return ~text.length
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}
