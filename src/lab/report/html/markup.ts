/** HTML or SVG that is safe: everything in it was escaped when it was made. */
export interface Markup {
  readonly markup: string
}

export type Child = Markup | string | number | false | undefined | readonly Child[]

type Attributes = Readonly<Record<string, string | number | undefined>>

const VOID = new Set(['meta', 'br', 'hr'])

/** An element; strings in it are text, whatever they look like. */
export function el(name: string, attributes: Attributes, ...children: Child[]): Markup {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escapeHtml(textOf(value!))}"`)
    .join('')
  if (VOID.has(name)) return { markup: `<${name}${written}>` }
  return { markup: `<${name}${written}>${render(children)}</${name}>` }
}

export function render(child: Child): string {
  if (child === undefined || child === false) return ''
  if (typeof child === 'string' || typeof child === 'number') return escapeHtml(textOf(child))
  return 'markup' in child ? child.markup : child.map(render).join('')
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

/** Coordinates have a digit after the point: more makes the file larger and no line sharper. */
function textOf(value: string | number): string {
  return typeof value === 'string' ? value : String(Math.round(value * 10) / 10)
}
