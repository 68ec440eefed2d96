/** Colours of Okabe and Ito, darker or lighter where text has them; shapes differ as well. */
const LIGHT = [
  '#3d3d3d',
  '#0072b2',
  '#c84f00',
  '#00825d',
  '#a8478f',
  '#8a6800',
  '#2b86c5',
  '#6b6b6b',
]
const DARK = [
  '#d8d8d8',
  '#5ab4f0',
  '#ff9a5c',
  '#3ddba6',
  '#ee9ad2',
  '#edc94c',
  '#9cd3ff',
  '#a9a9a9',
]

/** Eight, and then from the first again. */
export const SERIES = LIGHT.length

const variables = (colours: readonly string[]): string =>
  colours.map((colour, i) => `--c${i}:${colour}`).join(';')

const series = LIGHT.map((_, i) => `.c${i}{--c:var(--c${i})}`).join('')

const light = `--ink:#1c1c1c;--soft:#5c5c5c;--paper:#fff;--card:#f6f6f4;--rule:#b9b9b5;--grid:#e4e4e0;--bad:#b3001b;--good:#00694b;${variables(LIGHT)}`
const dark = `--ink:#ececec;--soft:#a8a8a8;--paper:#161616;--card:#202020;--rule:#5a5a5a;--grid:#333;--bad:#ff7b8a;--good:#4fd8a9;${variables(DARK)}`

export const STYLES = `
:root{color-scheme:light dark;${light}}
@media screen and (prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
body{margin:0 auto;padding:16px 16px 48px;max-width:1180px;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.2;margin:.4em 0 .2em}
h2{font-size:1.3rem;margin:2em 0 .4em;border-top:1px solid var(--rule);padding-top:.6em}
h3{font-size:1.05rem;margin:1.4em 0 .3em}h4{font-size:1rem;margin:0 0 .3em}
p,li{max-width:75ch}p{margin:.4em 0}.soft{color:var(--soft)}
ul{padding-left:1.2em;margin:.4em 0}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{padding:.35em .6em;border-bottom:1px solid var(--grid);text-align:left;vertical-align:top;
overflow-wrap:normal}
th{border-bottom:2px solid var(--rule);vertical-align:bottom}th.n{text-align:right}
td.n{text-align:right;white-space:nowrap}td.long{min-width:20em}td.id{white-space:nowrap}
tr.first td{border-top:2px solid var(--rule)}
.met{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
.gap{color:var(--soft);font-style:italic}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));gap:16px}
.grid.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,360px),1fr))}
figure,.card{margin:0;padding:12px;background:var(--card);border-radius:8px;break-inside:avoid}
figcaption{font-weight:600;margin-bottom:4px}
.evidence{font-size:.85rem;color:var(--soft)}.card p{font-size:.92rem}
svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}
svg text{fill:var(--ink);paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}svg .tick,svg .axis{fill:var(--soft);font-size:11px}
svg .name{fill:var(--c,var(--ink));font-weight:600}
svg line.grid{stroke:var(--grid);stroke-width:1}
svg line.rule{stroke:var(--rule)}
svg .slo{stroke:var(--bad);stroke-dasharray:6 3}svg .slo-name{fill:var(--bad);font-size:11px}
svg .breach{stroke:var(--bad);stroke-width:2}svg .breach-name{fill:var(--bad);font-weight:600}
svg .curve{fill:none;stroke:var(--c,var(--soft));stroke-width:1.6;stroke-linejoin:round}
svg .dashed{stroke-dasharray:4 3}
svg .drop{stroke:var(--c);stroke-width:.8;stroke-dasharray:1 4;opacity:.7}
svg .whisker{stroke:var(--c);stroke-width:3;opacity:.5}svg .lead{stroke:var(--c);stroke-width:1}
svg .mark{fill:var(--c);stroke:var(--c)}svg .hollow{fill:var(--card)}
svg .bar{fill:var(--c);opacity:.55}svg .faint{opacity:.22}
svg .ci{stroke:var(--ink);stroke-width:1.6}svg .noise{fill:var(--rule);opacity:.4}
pre{background:var(--card);padding:10px;overflow-x:auto;font-size:.82rem;border-radius:8px;
overflow-wrap:normal}
${series}
@media(max-width:500px){body{padding:8px 8px 32px}figure,.card{padding:8px 4px}svg{font-size:13px}
svg .tick,svg .axis{font-size:12.5px}}
@media print{body{max-width:none;font-size:11pt;padding:0}table{font-size:7.5pt}
td.long{min-width:0}.wide{overflow:visible}
.grid{grid-template-columns:1fr 1fr}pre{white-space:pre-wrap}tr{break-inside:avoid}
h2,h3{break-after:avoid}}
`
