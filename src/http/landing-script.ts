/** Runs in the browser: points as they arrive. Text goes in as text only, never as HTML. */
export const landingScript = String.raw`
const byId = id => document.getElementById(id)
const url = location.origin + '/api/v1/telemetry'
const body = JSON.stringify({ device_id: 'pump-1', data: { temperature: 21.5 } })
byId('send').textContent = "curl " + url + " \\\n  -H 'content-type: application/json' -d '" + body + "'"
byId('read').textContent = "curl '" + url + "/latest?device_id=pump-1'"

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

const stream = new EventSource('/api/v1/live')
stream.addEventListener('points', event => {
  const { points } = JSON.parse(event.data)
  arrivals.push([performance.now(), points.length])
  for (const point of points) show(point)
})
stream.onopen = () => (byId('state').textContent = 'live')
stream.onerror = () => (byId('state').textContent = 'reconnecting …')

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
    const ledger = await (await fetch('/api/v1/ledger')).json()
    byId('stored').textContent = (ledger.stored + ledger.in_flight).toLocaleString()
    byId('ledger').textContent = ledger.imbalance === 0 ? 'balanced' : 'out by ' + ledger.imbalance
  } catch {
    byId('ledger').textContent = '–'
  }
}
void poll()
setInterval(poll, 2000)
`
