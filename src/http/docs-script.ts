/** Runs in the browser: shows the OpenAPI document. Text goes in as text only, never as HTML. */
export const docsScript = String.raw`
const make = (tag, attributes, ...children) => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value)
  element.append(...children.filter(child => child !== undefined))
  return element
}
const table = (heads, rows) => make('table', {},
  make('thead', {}, make('tr', {}, ...heads.map(head => make('th', {}, head)))),
  make('tbody', {}, ...rows.map(cells => make('tr', {}, ...cells.map(cell => make('td', {}, cell))))))

let spec
const resolve = schema => {
  if (!schema?.$ref) return schema ?? {}
  return schema.$ref.slice(2).split('/').reduce((at, step) => at?.[step], spec) ?? {}
}
const typeOf = (given, depth = 0) => {
  const schema = resolve(given)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map(one => JSON.stringify(one)).join(' | ')
  if (schema.anyOf) return schema.anyOf.map(one => typeOf(one, depth)).join(' | ')
  if (schema.type === 'array') return '[' + typeOf(schema.items, depth) + ']'
  if (schema.type === 'object' || schema.properties) {
    const names = Object.entries(schema.properties ?? {})
    if (names.length === 0) return '{name: ' + valueOf(schema) + '}'
    const pad = '  '.repeat(depth + 1)
    const required = new Set(schema.required ?? [])
    const lines = names.map(([name, value]) => {
      const note = resolve(value).description
      return pad + name + (required.has(name) ? '' : '?') + ': ' + typeOf(value, depth + 1) +
        (note ? '   // ' + note : '')
    })
    if (schema.additionalProperties === true) lines.push(pad + '…')
    return '{\n' + lines.join('\n') + '\n' + '  '.repeat(depth) + '}'
  }
  return schema.type ?? 'any'
}
const valueOf = schema => {
  const patterns = Object.values(schema.patternProperties ?? {})
  return patterns.length > 0 ? typeOf(patterns[0], 1) : 'any'
}

const showContent = content => Object.entries(content ?? {}).flatMap(([type, { schema }]) => [
  make('div', { class: 'dim mono' }, type),
  schema ? make('pre', {}, typeOf(schema)) : undefined,
])

const showParameters = parameters => table(['parameter', 'type', 'meaning'], parameters.map(one => {
  const { schema } = one
  const bounds = [
    schema.default !== undefined ? 'default ' + schema.default : undefined,
    schema.minimum !== undefined ? 'from ' + schema.minimum : undefined,
    schema.maximum !== undefined ? 'to ' + schema.maximum : undefined,
  ].filter(Boolean).join(', ')
  return [
    make('code', {}, one.name + (one.required ? '' : '?')),
    make('span', {}, typeOf(schema) + (one.in === 'path' ? ' (path)' : '')),
    [one.description, bounds].filter(Boolean).join('; '),
  ]
}))

const showRoute = (method, path, operation) => {
  const body = make('div', { class: 'body' })
  if (operation.description) body.append(make('p', {}, operation.description))
  if (operation.parameters) body.append(showParameters(operation.parameters))
  if (operation.requestBody) {
    body.append(make('h3', {}, 'Body'), ...showContent(operation.requestBody.content).filter(Boolean))
  }
  body.append(make('h3', {}, 'Answers'))
  for (const [status, answer] of Object.entries(operation.responses)) {
    body.append(make('div', {}, make('strong', {}, status), ' ' + answer.description))
    const problem = answer.content?.['application/problem+json']
    if (!problem) body.append(...showContent(answer.content).filter(Boolean))
  }
  const id = operation.operationId
  return make('details', { id, 'data-find': (method + ' ' + path + ' ' + operation.summary).toLowerCase() },
    make('summary', {},
      make('span', { class: 'method mono' }, method.toUpperCase()),
      make('code', {}, path),
      make('span', { class: 'dim' }, operation.summary ?? '')),
    body)
}

const show = () => {
  const groups = new Map((spec.tags ?? []).map(tag => [tag.name, { tag, routes: [] }]))
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const name = operation.tags?.[0] ?? 'other'
      if (!groups.has(name)) groups.set(name, { tag: { name }, routes: [] })
      groups.get(name).routes.push(showRoute(method, path, operation))
    }
  }
  const main = document.getElementById('routes')
  for (const { tag, routes } of groups.values()) {
    if (routes.length === 0) continue
    main.append(make('section', {}, make('h2', {}, tag.name),
      make('p', { class: 'dim' }, tag.description ?? ''), ...routes))
  }
  main.append(make('h2', {}, 'problems'),
    make('p', { class: 'dim' }, 'Every refusal is application/problem+json (RFC 9457):'),
    make('pre', {}, typeOf(spec.components.schemas.Problem)))
  const opened = document.getElementById(location.hash.slice(1))
  if (opened) { opened.open = true; opened.scrollIntoView() }
}

const find = document.getElementById('find')
find.addEventListener('input', () => {
  const words = find.value.toLowerCase().split(/\s+/)
  for (const section of document.querySelectorAll('section')) {
    let shown = 0
    for (const route of section.querySelectorAll('details')) {
      route.hidden = !words.every(word => route.dataset.find.includes(word))
      if (!route.hidden) shown++
    }
    section.hidden = shown === 0
  }
})

fetch('/openapi.json').then(answer => answer.json()).then(document_ => {
  spec = document_
  const about = document.getElementById('about')
  about.replaceChildren(spec.info.description + ' Version ' + spec.info.version + '. ',
    make('a', { href: '/openapi.json' }, 'OpenAPI ' + spec.openapi), '.')
  show()
}).catch(error => { document.getElementById('about').textContent = String(error) })
`
