/** The longest device id or metric name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 256

/**
 * What is wrong with a name, to be put behind the name of its field ("metric must not be empty");
 * undefined when nothing is. This is the whole rule for metric names, which may hold dots, slashes
 * and spaces. Device ids have a stricter one: `deviceIdProblem`.
 *
 * Called for names that a door has not met before; a name with no problem allocates nothing.
 */
export function nameProblem(name: string): string | undefined {
  const length = name.length
  if (length === 0) return 'must not be empty'
  if (length > MAX_NAME_BYTES) return TOO_LONG
  let blank = true
  for (let i = 0; i < length; i++) {
    const code = name.charCodeAt(i)
    if (code > 0x7e) return code === 0x7f ? CONTROL : unicodeProblem(name)
    if (code < 0x20) return CONTROL
    if (code !== 0x20) blank = false
  }
  return blank ? BLANK : undefined
}

/**
 * `nameProblem`, and what MQTT and URLs ask of a device id. It is one level of the topic
 * `devices/{id}/telemetry` and one segment of the path `/devices/{id}`: a slash would let the id
 * of one device name the topics of another, `.` and `..` are resolved away by every URL parser,
 * and `+` and `#` alone are wildcards. Inside a longer id (`Pump #3`) those two are only text.
 */
export function deviceIdProblem(id: string): string | undefined {
  if (id.length < 3 && RESERVED.has(id)) return 'must not be ".", "..", "+" or "#"'
  if (id.includes('/')) return 'must not contain "/"'
  return nameProblem(id)
}

const TOO_LONG = `must not be longer than ${MAX_NAME_BYTES} bytes`
const CONTROL = 'must not contain control characters'
const BLANK = 'must not be only white space'
const RESERVED: ReadonlySet<string> = new Set(['.', '..', '+', '#'])

function unicodeProblem(name: string): string | undefined {
  if (!name.isWellFormed()) return 'must be well-formed Unicode (it has half a surrogate pair)'
  let bytes = 0
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return CONTROL
    // Each half of a surrogate pair counts for two of the four bytes.
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3
  }
  if (bytes > MAX_NAME_BYTES) return TOO_LONG
  return name.trim() === '' ? BLANK : undefined
}
