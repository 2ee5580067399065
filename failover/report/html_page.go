package report

// pageText is the page of a report. Colour never stands alone: every state has its
// word, so that the page can be printed and read aloud.
const pageText = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{plain .Title}}: {{plain .Outcome}}</title>
<style>
:root{color-scheme:light;--ink:#16202a;--soft:#5b6875;--line:#c8d0d8;--tint:#f3f6f8;--good:#0b6b3a;--fair:#8a5300;--bad:#a3152a;--stage:#1f5f99;--write:#6d7f90}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:var(--ink);background:#fff;max-width:62rem;margin:0 auto;padding:1.5rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2;margin:0}
h2{font-size:1.1rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
h3{font-size:1rem;margin:1rem 0 .3rem}
p{margin:.4rem 0}
header{border-left:.5rem solid var(--fair);padding:.2rem 0 .2rem 1rem}
header.good{border-color:var(--good)}header.bad{border-color:var(--bad)}
.outcome{font-weight:700;text-transform:uppercase;letter-spacing:.04em;color:var(--fair)}
.good .outcome{color:var(--good)}.bad .outcome,.trouble{color:var(--bad)}
.big{font-size:1.15rem}
code,.mono{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.86em}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}
thead th{font-weight:600;color:var(--soft);font-size:.86rem}
.facts th{width:11rem;font-weight:500;color:var(--soft)}
.wrap{white-space:normal}
td.n{white-space:nowrap;font-variant-numeric:tabular-nums}
.hash{font-size:.72em;color:var(--soft);word-break:break-all}
.draw{overflow-x:auto}
.soft{color:var(--soft)}
.weights{table-layout:fixed}.weights th:nth-child(1){width:23%}.weights th:nth-child(2),.weights th:nth-child(4){width:13%}.weights th:nth-child(3){width:21%}
svg{display:block}
svg.line{max-width:100%;width:100%;min-width:36rem;height:auto}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--ink)}
svg .soft{fill:var(--soft);font-size:11px}
svg .grid{stroke:var(--line)}
svg .stage{fill:var(--stage)}svg .write{fill:var(--write)}
svg .goal{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:5 3}svg .goaltext{fill:var(--bad);font-size:11px;font-weight:600}
svg .frame{fill:none;stroke:var(--line)}svg .before{fill:#fff;stroke:var(--write)}svg .after{fill:var(--stage)}
.side{background:var(--tint);border-left:.3rem solid var(--soft);padding:.5rem .8rem}
footer{margin-top:2rem;color:var(--soft);font-size:.86rem}
@page{margin:14mm}
@media print{body{max-width:none;padding:0;font-size:10.5pt}h2{break-after:avoid}tr,header,.side,svg{break-inside:avoid}svg,header,.side{print-color-adjust:exact;-webkit-print-color-adjust:exact}thead{display:table-header-group}}
</style>
</head>
<body>
<header class="{{.Class}}">
<h1>{{plain .Title}}: <span class="outcome">{{plain .Outcome}}</span></h1>
<p class="big">{{plain .Sentence}}</p>
{{with .Objective}}<p><strong>Recovery {{$.Recovery}}</strong>, {{.}}.</p>{{else}}{{if .O.Ledger.Stages}}<p><strong>{{if .Moves}}Recovery {{.Recovery}}</strong>; no objective was set.{{else}}It took {{.Recovery}}</strong>; an objective is for recoveries.{{end}}</p>{{end}}{{end}}
</header>
<table class="facts"><tbody>
<tr><th scope="row">Operation</th><td><code>{{plain .O.ID}}</code></td></tr>
<tr><th scope="row">Plan, epoch</th><td><code>{{plain .O.Plan}}</code>, {{.O.Epoch}}</td></tr>
{{with .O.From}}<tr><th scope="row">From</th><td>{{names .}}</td></tr>{{end}}
{{with .O.To}}<tr><th scope="row">To</th><td>{{names .}}</td></tr>{{end}}
<tr><th scope="row">Ordered by</th><td>{{with .O.By}}{{plain .}}{{else}}the automation{{end}}</td></tr>
{{with .O.Approved}}<tr><th scope="row">Approved by</th><td>{{listed .}}</td></tr>{{end}}
<tr><th scope="row">Begun, ended</th><td>{{with stamp .O.Begun}}{{.}}{{else}}not begun{{end}}, {{with stamp .O.Ended}}{{.}}{{else}}not ended{{end}}</td></tr>
</tbody></table>

<h2>Why</h2>
{{range .O.Why}}<p><code>{{plain (printf "%s" .Code)}}</code> {{plain .Text}}</p>
{{else}}<p>No reason was stored.</p>
{{end}}
<h2>Recovery ledger</h2>
{{with .Drawing}}{{if .Bars}}<div class="draw"><svg class="line" viewBox="0 0 {{.Width}} {{.Height}}" role="img" aria-labelledby="drawn">
<title id="drawn">The stages of the recovery and its writes, to scale; the table below says the same</title>
{{$d := .}}{{range .Ticks}}<line class="grid" x1="{{coord .X}}" x2="{{coord .X}}" y1="18" y2="{{$d.Foot}}"/><text class="soft" x="{{coord .X}}" y="12" text-anchor="middle">{{.Name}}</text>
{{end}}{{range .Bars}}<text x="{{add $d.Left -8}}" y="{{add .Y 16}}" text-anchor="end">{{plain .Name}}</text><rect class="{{.Class}}" x="{{coord .X}}" y="{{add .Y 5}}" width="{{coord .W}}" height="15"/><text class="soft" x="{{coord .At}}" y="{{add .Y 16}}">{{.Label}}</text>
{{end}}{{with .Objective}}<line class="goal" x1="{{coord .X}}" x2="{{coord .X}}" y1="18" y2="{{$d.Foot}}"/><text class="goaltext" x="{{coord .X}}" y="{{add $d.Foot 14}}" text-anchor="middle">{{.Name}}</text>{{end}}
</svg></div>{{end}}{{end}}
<table><thead><tr><th scope="col">stage</th><th scope="col">at</th><th scope="col">took</th><th scope="col">since the signal</th><th scope="col">what it ends with</th></tr></thead><tbody>
{{range .O.Ledger.Stages}}<tr><td>{{.Name}}</td><td class="n">{{stamp .At}}</td><td class="n">{{span .TookMS}}</td><td class="n">{{span .SinceMS}}</td><td>{{.Means}}</td></tr>
{{else}}<tr><td colspan="5">No stage was reached.</td></tr>
{{end}}</tbody></table>

<h2>Weights before, during and after</h2>
{{range .Gateways}}<h3>{{plain .Name}}</h3>
<table class="weights"><thead><tr><th scope="col">connection</th><th scope="col">before</th><th scope="col">during: either weight</th><th scope="col">after</th><th scope="col">how it ended</th></tr></thead><tbody>
{{range .Changes}}<tr><td>{{plain .Connection}}<br><span class="soft">to {{plain .Circuit}}</span></td>
<td class="n"><svg width="92" height="12" aria-hidden="true"><rect class="frame" x="0.5" y="0.5" width="91" height="11"/><rect class="before" x="1" y="1" width="{{coord .BeforeBar}}" height="10"/></svg>{{.Before}}</td>
<td>{{.During}}</td>
<td class="n">{{if .Known}}<svg width="92" height="12" aria-hidden="true"><rect class="frame" x="0.5" y="0.5" width="91" height="11"/><rect class="after" x="1" y="1" width="{{coord .AfterBar}}" height="10"/></svg>{{.After}}{{else}}<span class="wrap">not known; {{.After}} was wanted</span>{{end}}</td>
<td>{{if .Known}}{{.Ended}}{{else}}<strong class="trouble">{{.Ended}}</strong>{{with .Detail}}: {{plain .}}{{end}}{{end}}<br>{{.Attempts}} {{if eq .Attempts 1}}attempt{{else}}attempts{{end}}{{with .Correlation}}, correlation <code>{{plain .}}</code>{{end}}</td></tr>
{{end}}</tbody></table>
{{else}}<p>Nothing was planned to be written.</p>
{{end}}<p>Connections that are not listed were not written by this operation.</p>

<h2>The other direction: on-premises to Azure</h2>
<p class="side">{{plain .OnPremises}}</p>

{{with .O.Notes}}<h2>Notes</h2>
<ul>{{range .}}<li>{{plain .}}</li>{{end}}</ul>
{{end}}
<h2>Evidence</h2>
<p>The journal <code>{{plain .E.Stream}}</code> tells of this operation in {{len .E.Entries}} {{if eq (len .E.Entries) 1}}entry{{else}}entries{{end}}. Its chain of hashes was followed from the first entry to entry {{.E.Head.Seq}}:<br><code class="hash">{{plain .E.Head.Hash}}</code></p>
<table><thead><tr><th scope="col">entry</th><th scope="col">at</th><th scope="col">what</th></tr></thead><tbody>
{{range .E.Entries}}<tr><td class="n">{{.Seq}}</td><td class="n">{{stamp .At}}</td><td><code>{{plain .Code}}</code>{{with .Actor}} by {{plain .}}{{end}} {{plain .Text}}<br><span class="hash mono">{{plain .Hash}}</span></td></tr>
{{else}}<tr><td colspan="3">The journal has no entry about this operation.</td></tr>
{{end}}</tbody></table>
<footer>
<p>Made {{stamp .E.Made}}. To hold this report against the journal, keep its JSON form:<br><code>erfailover report {{plain .O.ID}} --format json --out report.json</code><br><code>erfailover report verify report.json</code></p>
<p>The hashes cover the entries. The first signal, the confirmation, the instant at which traffic was seen, and the objective come from the record and the configuration.</p>
</footer>
</body>
</html>
`
