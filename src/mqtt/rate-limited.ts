type Write = (fields: object, message: string) => void

/**
 * The first line of an interval is written, the others are counted and the next line says how many
 * they were: a thousand clients that do the same wrong must not fill the disk.
 */
export function rateLimited(write: Write, intervalMs = 5000): Write {
  let nextMs = 0
  let suppressed = 0
  return (fields, message) => {
    const nowMs = performance.now()
    if (nowMs < nextMs) {
      suppressed++
      return
    }
    nextMs = nowMs + intervalMs
    write(suppressed > 0 ? { ...fields, suppressed } : fields, message)
    suppressed = 0
  }
}
