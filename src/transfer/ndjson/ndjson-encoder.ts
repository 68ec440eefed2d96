import type { SeriesPoints } from '../../ports/store.ts'
import { TIME_COLUMNS } from '../format.ts'
import type { TimeStyle } from '../format.ts'
import { numberText, TextPieces } from '../text-pieces.ts'
import { TimeWriter } from '../time-writer.ts'

/** A line for each point: `{"time", "device_id", "metric", "value"}`, or with `"text"`. */
export async function* encodeNdjson(
  chunks: AsyncIterable<readonly SeriesPoints[]>,
  { time }: { readonly time: TimeStyle },
): AsyncGenerator<Buffer, void, void> {
  const pieces = new TextPieces()
  const times = new TimeWriter(time)
  const quote = time === 'iso' ? '"' : ''
  const begin = `{"${TIME_COLUMNS[time]}":${quote}`
  for await (const chunk of chunks) {
    for (const { device, metric, timestamps, values, texts } of chunk) {
      const names = `${quote},"device_id":${JSON.stringify(device)},"metric":${JSON.stringify(metric)},`
      for (let i = 0; i < timestamps.length; i++) {
        const text = texts?.[i]
        const field =
          text === undefined ? `"value":${numberText(values[i])}` : `"text":${JSON.stringify(text)}`
        pieces.add(`${begin}${times.text(timestamps[i])}${names}${field}}\n`)
        if (pieces.isFull) yield pieces.take()
      }
    }
  }
  yield pieces.take()
}
