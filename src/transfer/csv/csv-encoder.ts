import type { SeriesPoints } from '../../ports/store.ts'
import { LONG_COLUMNS, TIME_COLUMNS } from '../format.ts'
import type { TimeStyle } from '../format.ts'
import { numberText, TextPieces } from '../text-pieces.ts'
import { TimeWriter } from '../time-writer.ts'
import { textCell } from './csv-cell.ts'

/** The long layout (`time,device_id,metric,value,text`) as CSV, RFC 4180 with LF. */
export async function* encodeCsv(
  chunks: AsyncIterable<readonly SeriesPoints[]>,
  { time }: { readonly time: TimeStyle },
): AsyncGenerator<Buffer, void, void> {
  const pieces = new TextPieces()
  const times = new TimeWriter(time)
  pieces.add(`${TIME_COLUMNS[time]},${LONG_COLUMNS.join(',')}\n`)
  for await (const chunk of chunks) {
    for (const { device, metric, timestamps, values, texts } of chunk) {
      const names = `,${textCell(device)},${textCell(metric)},`
      for (let i = 0; i < timestamps.length; i++) {
        const text = texts?.[i]
        const cells = text === undefined ? `${numberText(values[i])},` : `,${textCell(text)}`
        pieces.add(`${times.text(timestamps[i])}${names}${cells}\n`)
        if (pieces.isFull) yield pieces.take()
      }
    }
  }
  yield pieces.take()
}
