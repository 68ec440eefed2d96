/** Runs in the browser: points as they arrive. Text goes in as text only, never as HTML. */
export const landingScript = String.raw`
const byId = id => document.getElementById(id)
const url = location.origin + '/api/v1/telemetry'
const body = JSON.stringify({ device_id: 'pump-1', data: { temperature: 21.5 } })
const examples = withKey => {
  const auth = withKey ? " -H 'authorization: Bearer KEY'" : ''
  byId('send').textContent = "curl " + url + auth + " \\\n  -H 'content-type: application/json' -d '" + body + "'"
  byId('read').textContent = "curl '" + url + "/latest?device_id=pump-1'" + auth
}
examples(false)

// For this tab only: a key in the URL would end up in histories and logs.
let key = sessionStorage.getItem('weir-key') ?? ''
const ask = async (path, options = {}) => {
  const headers = key === '' ? {} : { authorization: 'Bearer ' + key }
  const response = await fetch(path, { ...options, headers: { ...options.headers, ...headers } })
  const refused = response.status === 401 || response.status === 403
  if (refused) {
    examples(true)
    byId('key').hidden = false
    byId('key-state').textContent =
      response.status === 403 ? 'This key may not read here.' : key === '' ? '' : 'This key does not work.'
  }
  if (!response.ok) throw new Error(refused ? 'a key is needed' : 'HTTP ' + response.status)
  byId('key').hidden = true
  return response
}

const MAX_SERIES = 24
const MAX_VALUES = 60
const WINDOW_MS = 5000
const series = new Map()
let arrivals = []

const spark = values => {
  const low = Math.min(...values)
  const span = Math.max(...values) - low || 1
  return values.map((value, i) => {
    const x = values.length < 2 ? 0 : (i / (values.length - 1)) * 158
    return (x + 1).toFixed(1) + ',' + (23 - ((value - low) / span) * 21).toFixed(1)
  }).join(' ')
}

const addRow = point => {
  const row = byId('points').insertRow()
  const cells = ['device', 'metric', 'value', 'time', 'spark'].map(() => row.insertCell())
  cells[0].textContent = point.device_id
  cells[1].textContent = point.metric
  cells[2].className = 'mono'
  cells[3].className = 'dim'
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('width', '160')
  svg.setAttribute('height', '24')
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline')
  line.setAttribute('class', 'spark')
  svg.append(line)
  cells[4].append(svg)
  return { value: cells[2], time: cells[3], line, values: [] }
}

const show = point => {
  const key = point.device_id + '\0' + point.metric
  let row = series.get(key)
  if (row === undefined) {
    if (series.size >= MAX_SERIES) return
    byId('points').parentElement.hidden = false
    series.set(key, (row = addRow(point)))
  }
  row.value.textContent = String(point.value)
  row.time.textContent = point.timestamp.slice(11, 23)
  if (typeof point.value !== 'number') return
  row.values.push(point.value)
  if (row.values.length > MAX_VALUES) row.values.shift()
  row.line.setAttribute('points', spark(row.values))
}

const take = event => {
  if (event.name !== 'points') return
  const { points } = JSON.parse(event.data)
  arrivals.push([performance.now(), points.length])
  for (const point of points) show(point)
}

// Server-sent events by hand: EventSource sends no key.
const read = async (response, last) => {
  let rest = ''
  let event = { name: '', data: '' }
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) {
      if (line.startsWith('event:')) event.name = line.slice(6).trim()
      else if (line.startsWith('data:')) event.data += line.slice(5)
      else if (line.startsWith('id:')) last.id = line.slice(3).trim()
      else if (line === '') {
        if (event.data !== '') take(event)
        event = { name: '', data: '' }
      }
    }
  }
}

let attempt = new AbortController()
const follow = async () => {
  const last = { id: '' }
  for (;;) {
    attempt = new AbortController()
    try {
      const headers = last.id === '' ? {} : { 'last-event-id': last.id }
      const response = await ask('/api/v1/live', { headers, signal: attempt.signal })
      byId('state').textContent = 'live'
      await read(response, last)
    } catch (error) {
      byId('state').textContent = error.message === 'a key is needed' ? error.message : 'reconnecting …'
    }
    await new Promise(resolve => {
      setTimeout(resolve, 2000)
      byId('key').addEventListener('submit', resolve, { once: true })
    })
  }
}
void follow()

const began = performance.now()
setInterval(() => {
  const now = performance.now()
  arrivals = arrivals.filter(([at]) => now - at < WINDOW_MS)
  const points = arrivals.reduce((sum, [, count]) => sum + count, 0)
  const seconds = Math.min(WINDOW_MS, now - began) / 1000
  byId('rate').textContent = Math.round(points / seconds).toLocaleString()
}, 500)

const poll = async () => {
  try {
    const ledger = await (await ask('/api/v1/ledger')).json()
    byId('stored').textContent = (ledger.stored + ledger.in_flight).toLocaleString()
    byId('ledger').textContent = ledger.imbalance === 0 ? 'balanced' : 'out by ' + ledger.imbalance
  } catch {
    byId('ledger').textContent = '–'
  }
}
void poll()
setInterval(poll, 2000)

byId('key').addEventListener('submit', event => {
  event.preventDefault()
  key = byId('key-text').value.trim()
  sessionStorage.setItem('weir-key', key)
  attempt.abort()
  void poll()
})
`
