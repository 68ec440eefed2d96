import { docsScript } from './docs-script.ts'
import { landingScript } from './landing-script.ts'

const STYLE = `
:root{color-scheme:light dark;--ink:#16222c;--dim:#5b6b78;--line:#d9e1e7;--paper:#fff;--soft:#f4f7f9;--flow:#0b6e99}
@media(prefers-color-scheme:dark){:root{--ink:#e3ebf0;--dim:#93a3af;--line:#2b3942;--paper:#11181d;--soft:#182127;--flow:#59b7de}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
h1{font-size:1.7rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
p{margin:.3rem 0 .8rem}a{color:var(--flow)}.dim{color:var(--dim)}
code,pre,.mono{font:13px/1.5 ui-monospace,SFMono-Regular,Consolas,monospace}
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;overflow:auto;margin:.4rem 0}
details{border:1px solid var(--line);border-radius:6px;margin:.4rem 0;background:var(--paper)}
summary{cursor:pointer;padding:.5rem .8rem;display:flex;gap:.7rem;align-items:baseline;flex-wrap:wrap}
summary:focus-visible{outline:2px solid var(--flow)}
.body{padding:.2rem .9rem .9rem;border-top:1px solid var(--line)}
.method{min-width:3.8rem;font-weight:700;color:var(--flow)}
table{border-collapse:collapse;width:100%;margin:.3rem 0 .8rem}
td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--dim);font-size:.85rem}
ul{padding-left:1.2rem}
.figures{display:flex;gap:1rem;flex-wrap:wrap;margin:1.2rem 0}
.figures div{flex:1;min-width:10rem;background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem}
.figures b{display:block;font-size:1.6rem;font-variant-numeric:tabular-nums}.figures span{color:var(--dim);font-size:.9rem}
.spark{fill:none;stroke:var(--flow);stroke-width:1.5}
button{font:inherit;padding:.35rem .9rem;border:1px solid var(--line);border-radius:6px;background:var(--soft);color:inherit;cursor:pointer}
input{font:inherit;padding:.4rem .6rem;width:100%;border:1px solid var(--line);border-radius:6px;background:var(--soft);color:inherit}
`

/** The pages bring everything along: no other host is asked for anything. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}

export function landingPage(version: string): string {
  const links = [
    ['/docs', 'The API'],
    ['/openapi.json', 'its OpenAPI document'],
    ['/api/v1/telemetry/latest', 'The newest values'],
    ['/api/v1/devices', 'Devices'],
    ['/api/v1/ledger', 'The ledger: where every point went'],
    ['/metrics', 'Metrics'],
    ['/ready', 'Readiness'],
  ]
  const items = links.map(([href, text]) => `<a href="${href}">${text}</a>`).join(' · ')
  return page(
    'Weir',
    `<h1>Weir</h1>
<p class="dim">An IoT telemetry platform that measures itself. Version ${version}.</p>
<p>${items}</p>
<div class="figures">
<div><b id="rate">–</b><span>points a second · <span id="state">connecting …</span></span></div>
<div><b id="stored">–</b><span>points kept</span></div>
<div><b id="ledger">–</b><span>ledger</span></div>
</div>
<form id="key" hidden><p>This server asks for a key (<code>weir keys create</code>). It stays in this tab.</p>
<p><input id="key-text" type="password" autocomplete="off" placeholder="weir_…" aria-label="Key"></p>
<p><button>Use it</button> <span id="key-state" class="dim" role="status"></span></p></form>
<table hidden><thead><tr><th>Device</th><th>Metric</th><th>Newest</th><th>Time (UTC)</th><th></th></tr></thead>
<tbody id="points"></tbody></table>
<h2>Send a point</h2>
<pre id="send"></pre>
<h2>Read it back</h2>
<pre id="read"></pre>
<script>${landingScript}</script>`,
  )
}

export function docsPage(): string {
  return page(
    'Weir: the API',
    `<h1>Weir: the API</h1>
<p class="dim" id="about">Reading <a href="/openapi.json">/openapi.json</a> …</p>
<input id="find" type="search" placeholder="Find a route" aria-label="Find a route">
<main id="routes"></main>
<script>${docsScript}</script>`,
  )
}
