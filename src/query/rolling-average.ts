/**
 * For each place from `from` on the average of the last `window` numbers before it, as the
 * detectors see them; NaN where there is none. Text (NaN) is passed over.
 *
 * @param values Of one series, rising in time.
 */
export function averagesBefore(
  values: Float64Array,
  { from, window }: { readonly from: number; readonly window: number },
): Float64Array {
  const averages = new Float64Array(values.length - from)
  const recent: number[] = []
  for (let i = 0; i < values.length; i++) {
    if (i >= from) {
      let sum = 0
      for (const value of recent) sum += value
      averages[i - from] = sum / recent.length
    }
    if (values[i] !== values[i]) continue
    recent.push(values[i])
    if (recent.length > window) recent.shift()
  }
  return averages
}
