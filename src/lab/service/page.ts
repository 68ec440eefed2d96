import { pageScript } from './page-script.ts'

const STYLE = `
:root{color-scheme:light dark;--ink:#16222c;--dim:#5b6b78;--line:#d9e1e7;--paper:#fff;--soft:#f4f7f9;--flow:#0b6e99;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e3ebf0;--dim:#93a3af;--line:#2b3942;--paper:#11181d;--soft:#182127;--flow:#59b7de;--bad:#f2837a}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0 auto;max-width:72rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.7rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2rem 0 .6rem}
p{margin:.2rem 0 .7rem}a{color:var(--flow)}.dim{color:var(--dim)}.bad{color:var(--bad)}
code{font:13px/1.5 ui-monospace,SFMono-Regular,Consolas,monospace}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1rem;margin:1.2rem 0}
.card,#now{border:1px solid var(--line);border-radius:8px;padding:.9rem 1rem;display:flex;flex-direction:column}
.card h2{margin:0 0 .2rem}.card p{flex:1;color:var(--dim);font-size:.92rem}
.fields{display:grid;grid-template-columns:1fr 1fr;gap:.5rem;margin-bottom:.7rem}
label{font-size:.85rem;color:var(--dim)}
label.wide{margin-bottom:.7rem}
input{font:inherit;color:inherit;width:100%;padding:.25rem .5rem;border:1px solid var(--line);border-radius:6px;background:var(--soft)}
button{font:inherit;padding:.4rem .9rem;border:1px solid var(--flow);border-radius:6px;background:var(--flow);color:var(--paper);cursor:pointer}
button:disabled{opacity:.4;cursor:default}button.plain{background:none;color:var(--flow)}
button:focus-visible,input:focus-visible,a:focus-visible{outline:2px solid var(--flow);outline-offset:2px}
.head{display:flex;gap:1rem;align-items:baseline;justify-content:space-between}
progress{width:100%;height:.6rem;accent-color:var(--flow)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:1rem;margin:.8rem 0 0}
.figures b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}.figures span{color:var(--dim);font-size:.88rem}
svg{width:100%;height:3rem;display:block;margin-top:.3rem}
polyline{fill:none;stroke:var(--flow);stroke-width:1.5;vector-effect:non-scaling-stroke}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{text-align:right;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
td:first-child,th:first-child,td:nth-child(2),th:nth-child(2),td:last-child,th:last-child{text-align:left}
td:last-child{white-space:normal;min-width:15rem;font-size:.92rem}
th{font-weight:600;color:var(--dim);font-size:.85rem}
`

/** The page brings everything along: no other host is asked for anything. */
export const PAGE_POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline';" +
  " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/** For people: the three benchmarks as buttons, the one that runs live, the table. */
export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<link rel="icon" href="data:,">
<title>Weir: benchmarks</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Weir: benchmarks</h1>
<p class="dim">Single readings by <code>POST /ingest</code> to <code id="target">…</code>, at moments
fixed beforehand: a target that stalls cannot slow the load down.</p>
<div class="cards">
<div class="card"><h2>Baseline suite</h2>
<p>25, 100 and 250 requests a second: one, two and one minute.</p>
<button data-start="baseline-suite">Run the suite</button></div>
<div class="card"><h2>Throughput ceiling</h2>
<p>From 50 requests a second up by a quarter every 20 s, until the p99 is above 300 ms, 1&nbsp;% fail,
or less than 99&nbsp;% come through.</p>
<button data-start="throughput-ceiling">Find the ceiling</button></div>
<form class="card" id="one"><h2>One rate</h2>
<div class="fields">
<label>Requests a second <input name="target_rps" type="number" min="1" max="200000" step="any" value="50" required></label>
<label>Seconds <input name="duration" type="number" min="1" max="3600" step="any" value="30" required></label>
</div>
<label class="wide">Name in the table <input name="type" value="individual" maxlength="40" pattern="[A-Za-z0-9][A-Za-z0-9_.\\-]*" required></label>
<button>Run it</button></form>
</div>
<p id="problem" class="bad" role="alert" hidden></p>
<section id="now" hidden aria-label="The benchmark that runs">
<div class="head"><div><b id="what"></b> <span id="phase" class="dim"></span></div>
<button id="stop" class="plain">Stop</button></div>
<progress id="progress" aria-label="Progress"></progress>
<div class="dim" id="left"></div>
<div class="figures">
<div><b id="rate">–</b><span>answers in the last second</span><svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true"><polyline id="rate-line"/></svg></div>
<div><b id="p99">–</b><span>p99 latency in it</span><svg viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true"><polyline id="p99-line"/></svg></div>
<div><b id="failures">–</b><span>failures in it</span></div>
</div>
</section>
<p id="last" role="status"></p>
<div class="head"><h2>Results</h2><span><a href="/benchmark-markdown-raw">Markdown</a> ·
<a href="/benchmark-results">JSON</a> · <a href="/openapi.json">API</a></span></div>
<p class="dim" id="none">None yet.</p>
<div class="scroll"><table id="table" hidden><thead><tr><th>Test Type</th><th>Date/Time (UTC)</th>
<th>Target RPS</th><th>Actual RPS</th><th>P99 Latency (ms)</th><th>Error Rate</th>
<th>Duration (s)</th><th>Held?</th></tr></thead><tbody id="rows"></tbody></table></div>
<script>${pageScript}</script>
</body>
</html>
`
