import { el } from './markup.ts'
import type { Child, Markup } from './markup.ts'
import type { Scale } from './scale.ts'

export interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

export interface Spot {
  readonly x: number
  readonly y: number
}

/** A picture that is as wide as its place, with what it shows for those who cannot see it. */
export function picture(
  { width, height, label }: { width: number; height: number; label: string },
  ...children: Child[]
): Markup {
  return el(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
    ...children,
  )
}

export function text(at: Spot, words: string, attributes: Record<string, string> = {}): Markup {
  return el('text', { ...at, ...attributes }, words)
}

export function line(from: Spot, to: Spot, className: string): Markup {
  return el('line', { x1: from.x, y1: from.y, x2: to.x, y2: to.y, class: className })
}

/** What is said when one points at it. */
export function hint(words: string): Markup {
  return el('title', {}, words)
}

export function path(spots: readonly Spot[], className: string, words?: string): Markup {
  const points = spots.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ')
  const title = words === undefined ? undefined : hint(words)
  return el('polyline', { points, class: className }, title)
}

/** Horizontal lines with their values at the left; the title stands above them. */
export function verticalAxis(box: Box, scale: Scale, title: string): Markup[] {
  return [
    ...scale.ticks.flatMap(({ value, label }) => {
      const y = scale.at(value)
      return [
        line({ x: box.left, y }, { x: box.right, y }, 'grid'),
        text({ x: box.left - 5, y: y + 4 }, label, { class: 'tick', 'text-anchor': 'end' }),
      ]
    }),
    text({ x: 2, y: box.top - 10 }, title, { class: 'axis' }),
  ]
}

export function horizontalAxis(box: Box, scale: Scale, title = ''): Markup[] {
  const y = box.bottom
  return [
    line({ x: box.left, y }, { x: box.right, y }, 'rule'),
    ...scale.ticks.flatMap(({ value, label }) => {
      const x = scale.at(value)
      return [
        line({ x, y }, { x, y: y + 4 }, 'rule'),
        text({ x, y: y + 16 }, label, { class: 'tick', 'text-anchor': 'middle' }),
      ]
    }),
    title === ''
      ? { markup: '' }
      : text({ x: (box.left + box.right) / 2, y: y + 32 }, title, {
          ...{ class: 'axis', 'text-anchor': 'middle' },
        }),
  ]
}

const SHAPES: readonly ((spot: Spot, r: number) => string)[] = [
  ({ x, y }, r) => `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0z`,
  ({ x, y }, r) => `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  ({ x, y }, r) => `M${x},${y - r * 1.2}l${r * 1.2},${r * 2.1}h${-2.4 * r}z`,
  ({ x, y }, r) =>
    `M${x},${y - r * 1.4}l${r * 1.4},${r * 1.4}l${-r * 1.4},${r * 1.4}l${-r * 1.4},${-r * 1.4}z`,
  ({ x, y }, r) => `M${x},${y + r * 1.2}l${r * 1.2},${-r * 2.1}h${-2.4 * r}z`,
  ({ x, y }, r) => `M${x - r * 1.3},${y - r / 2}h${2.6 * r}v${r}h${-2.6 * r}z`,
  ({ x, y }, r) => `M${x - r / 2},${y - r * 1.3}h${r}v${2.6 * r}h${-r}z`,
]

/** Shapes differ as well as colours, for those who see no difference between some of these. */
export function mark(spot: Spot, { series, size = 3, words, hollow = false }: MarkOptions): Markup {
  const round = (value: number): number => Math.round(value * 10) / 10
  const place = { x: round(spot.x), y: round(spot.y) }
  const d = SHAPES[series % SHAPES.length](place, size).replace(/\d+\.\d{3,}/g, long =>
    String(round(Number(long))),
  )
  const className = `mark c${series}${hollow ? ' hollow' : ''}`
  return el('path', { d, class: className }, words === undefined ? undefined : hint(words))
}

export interface MarkOptions {
  readonly series: number
  readonly size?: number
  readonly words?: string
  readonly hollow?: boolean
}
