/** Runs in the browser. Text goes in as text only, never as HTML. */
export const pageScript = String.raw`
const byId = id => document.getElementById(id)
const ask = async (path, options) => {
  const response = await fetch(path, options)
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.error)
  return answer
}
const post = (path, body) =>
  ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body ?? {}),
  })
const say = (id, text) => {
  byId(id).textContent = text
  byId(id).hidden = text === ''
}
const buttons = [...document.querySelectorAll('[data-start], #one button')]

const whole = value => Math.round(value).toLocaleString('en')
const milliseconds = value =>
  value === null ? '–' : value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 }) + ' ms'
const time = seconds => {
  const all = Math.round(seconds)
  return all < 60 ? all + ' s' : Math.floor(all / 60) + ' min ' + (all % 60) + ' s'
}

const MAX_VALUES = 120
let drawn = { run: '', rates: [], p99s: [] }
const line = (id, values) => {
  const high = Math.max(...values, 1e-9)
  // A line needs two ends.
  if (values.length === 1) values = [values[0], values[0]]
  const step = 100 / (values.length - 1)
  const points = values.map((value, i) => (i * step).toFixed(1) + ',' + (29 - (value / high) * 27).toFixed(1))
  byId(id).setAttribute('points', points.join(' '))
}

const showRun = status => {
  const { benchmark, test, tests, test_type, target_rps } = status
  if (drawn.run !== status.run_id) drawn = { run: status.run_id, rates: [], p99s: [] }
  const of = tests === null ? '' : ' of ' + tests
  byId('what').textContent =
    benchmark + ' · test ' + test + of + ' · ' + test_type + (target_rps === null ? '' : ' at ' + whole(target_rps) + '/s')
  byId('phase').textContent = status.status === 'stopping' ? 'stopping …' : status.phase + ' …'
  byId('stop').disabled = status.status === 'stopping'
  const { elapsed_s, left_s, test_left_s } = status
  const bar = byId('progress')
  // Of a ceiling nobody knows the end.
  if (left_s === null) bar.removeAttribute('value')
  else {
    bar.max = elapsed_s + left_s
    bar.value = elapsed_s
  }
  byId('left').textContent =
    time(elapsed_s) + ' so far, ' +
    (left_s === null ? time(test_left_s) + ' left at this rate; it ends when a rate does not hold' : time(left_s) + ' left')
  byId('rate').textContent = status.rate_rps === null ? '–' : whole(status.rate_rps) + '/s'
  byId('p99').textContent = milliseconds(status.p99_latency_ms)
  byId('failures').textContent = status.failures_rps === null ? '–' : whole(status.failures_rps)
  byId('failures').className = status.failures_rps > 0 ? 'bad' : ''
  if (status.rate_rps === null) return
  drawn.rates = [...drawn.rates, status.rate_rps].slice(-MAX_VALUES)
  drawn.p99s = [...drawn.p99s, status.p99_latency_ms].slice(-MAX_VALUES)
  line('rate-line', drawn.rates)
  line('p99-line', drawn.p99s)
}

const shownRun = run => {
  if (run === null) return ''
  const about = run.benchmark + ' ' + (run.status === 'done' ? 'is done' : run.status)
  const ceiling = run.ceiling_rps === undefined ? '' : ': the last rate that held is ' + whole(run.ceiling_rps) + '/s'
  const limit = run.limit === undefined || run.limit.length === 0 ? '' : '. The next one did not: ' + run.limit.join('; ')
  return about + ceiling + limit + (run.problem === undefined ? '' : ' (' + run.problem + ')') + '.'
}

const held = result => {
  if (result.stopped) return 'stopped'
  if (result.outcome === 'pass') return 'yes'
  const word = result.outcome === 'void' ? 'void: ' : 'no: '
  return word + [...result.breaches, ...(result.problem === undefined ? [] : [result.problem])].join('; ')
}

const percent = share =>
  share > 0 && share < 0.0005 ? '<0.1%' : share < 1 && share >= 0.9995 ? '>99.9%' : (share * 100).toFixed(1) + '%'

const showResults = async () => {
  const { results } = await ask('/benchmark-results?limit=200')
  byId('none').hidden = results.length > 0
  byId('table').hidden = results.length === 0
  byId('rows').replaceChildren(
    ...results.reverse().map(result => {
      const row = document.createElement('tr')
      const p99 = result.p99_latency_ms
      const cells = [
        result.test_type,
        result.started_at.slice(0, 16).replace('T', ' '),
        String(result.target_rps),
        result.actual_rps.toFixed(1),
        p99 === null ? '–' : p99.toFixed(1),
        percent(result.error_rate),
        result.duration_s.toFixed(1),
        held(result),
      ]
      for (const text of cells) row.insertCell().textContent = text
      if (result.stopped || result.outcome === 'void') row.className = 'dim'
      else if (result.outcome !== 'pass') row.lastChild.className = 'bad'
      return row
    }),
  )
}

// Results change when a test ends: then another test runs, or none.
let seen = ''
let failing = false
const poll = async () => {
  try {
    const status = await ask('/benchmark-status')
    const isIdle = status.status === 'idle'
    byId('now').hidden = isIdle
    for (const button of buttons) button.disabled = !isIdle
    if (!isIdle) showRun(status)
    byId('last').textContent = isIdle ? shownRun(status.last_run) : ''
    const now = status.run_id + ' ' + status.test + ' ' + status.last_run?.run_id
    if (now !== seen) await showResults()
    seen = now
    if (failing) say('problem', '')
    failing = false
  } catch (error) {
    failing = true
    say('problem', 'The service does not answer: ' + error.message)
  }
}

const start = async (path, body) => {
  try {
    await post(path, body)
    say('problem', '')
  } catch (error) {
    say('problem', error.message)
  }
  await poll()
}
for (const button of document.querySelectorAll('[data-start]')) {
  button.addEventListener('click', () => start('/' + button.dataset.start))
}
byId('one').addEventListener('submit', event => {
  event.preventDefault()
  const { target_rps, duration, type } = Object.fromEntries(new FormData(event.target))
  void start('/run-benchmark', { target_rps: Number(target_rps), duration: Number(duration), type })
})
byId('stop').addEventListener('click', async () => {
  byId('stop').disabled = true
  try {
    await post('/stop-benchmark')
  } catch (error) {
    say('problem', error.message)
  }
  await poll()
})

void ask('/health').then(({ target }) => (byId('target').textContent = target))
void poll()
setInterval(poll, 1000)
`
