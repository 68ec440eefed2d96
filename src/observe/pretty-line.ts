const COLORS: Readonly<Record<string, number>> = {
  trace: 90,
  debug: 90,
  info: 32,
  warn: 33,
  error: 31,
  fatal: 31,
}

/** One JSON log line as a person reads it: `12:01:07.123 info  mqtt  client connected  client=pump-7`. */
export function prettyLine(json: string, colored: boolean): string {
  const paint = (text: string, color: number): string =>
    colored ? `\u001b[${color}m${text}\u001b[0m` : text
  let entry: Record<string, unknown>
  try {
    entry = JSON.parse(json) as Record<string, unknown>
  } catch {
    return json
  }
  const { level = 'info', time, msg = '', part, err, ...rest } = entry
  const name = String(level)
  const words = [
    paint(String(time).slice(11, 23), 90),
    paint(name.padEnd(5), COLORS[name] ?? 0),
    ...(part === undefined ? [] : [paint(String(part), 36)]),
    String(msg),
    ...Object.entries(rest).map(([key, value]) => paint(`${key}=`, 90) + fieldText(value)),
  ]
  return `${words.join('  ')}\n${errorText(err)}`
}

function fieldText(value: unknown): string {
  return typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value)
}

function errorText(err: unknown): string {
  if (typeof err !== 'object' || err === null) return ''
  const { stack, message } = err as { stack?: unknown; message?: unknown }
  const text = typeof stack === 'string' ? stack : String(message)
  return `${text.replace(/^/gm, '    ')}\n`
}
