package drill

// pageText is the page of a report. Colour never stands alone: every state has its
// word, so that the page can be printed and read aloud.
const pageText = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{plain .R.Title}}: {{.R.Word}}</title>
<style>
:root{color-scheme:light;--ink:#16202a;--soft:#5b6875;--line:#c8d0d8;--tint:#f3f6f8;--good:#0b6b3a;--fair:#8a5300;--bad:#a3152a;--stage:#1f5f99}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:var(--ink);background:#fff;max-width:62rem;margin:0 auto;padding:1.5rem;overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.2;margin:0}
h2{font-size:1.1rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
p{margin:.4rem 0}
header{border-left:.5rem solid var(--fair);padding:.2rem 0 .2rem 1rem}
header.good{border-color:var(--good)}header.bad{border-color:var(--bad)}
.outcome{font-weight:700;text-transform:uppercase;letter-spacing:.04em;color:var(--fair)}
.good .outcome,.good{color:var(--good)}.bad .outcome,.bad{color:var(--bad)}
header,header.good,header.bad{color:var(--ink)}
.big{font-size:1.15rem}
.soft{color:var(--soft)}
code{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.86em}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}
th,td strong{overflow-wrap:normal}
thead th{font-weight:600;color:var(--soft);font-size:.86rem}
.facts th{width:11rem;font-weight:500;color:var(--soft)}
td.n{white-space:nowrap;font-variant-numeric:tabular-nums}
.hash{font-size:.72em;color:var(--soft);word-break:break-all}
.draw{overflow-x:auto}
svg{display:block;width:100%;min-width:36rem;height:auto}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--ink)}
svg .soft{fill:var(--soft);font-size:11px}
footer{margin-top:2rem;color:var(--soft);font-size:.86rem}
@page{margin:14mm}
@media (max-width:30rem){body{padding:.8rem}.facts th{width:7rem}}
@media print{body{max-width:none;padding:0;font-size:10.5pt}h2{break-after:avoid}tr,header,svg{break-inside:avoid}svg,header{print-color-adjust:exact;-webkit-print-color-adjust:exact}thead{display:table-header-group}}
</style>
</head>
<body>
<header class="{{.Class}}">
<h1>{{plain .R.Title}}: <span class="outcome">{{.R.Word}}</span></h1>
<p class="big">{{plain .R.Sentence}}</p>
{{with .O.Weights}}<p>{{.Says}}</p>{{end}}
{{if .O.RecoveryMS}}<p><strong>Recovery {{span .O.RecoveryMS}}</strong>{{if .R.ObjectiveMS}}, the objective is {{span .R.ObjectiveMS}}{{else}}; no objective was set{{end}}.</p>{{end}}
{{if .Run.Accelerated}}<p><strong>Accelerated:</strong> without notice and with a short hold. It proves the way, not the endurance.</p>{{end}}
</header>
<table class="facts"><tbody>
<tr><th scope="row">Run</th><td><code>{{plain .O.ID}}</code></td></tr>
<tr><th scope="row">Ordered by</th><td>{{with .O.By}}{{plain .}}{{else}}the calendar{{end}}{{with .Run.Reason}}: {{plain .}}{{end}}</td></tr>
{{with stamp .Run.ArmedAt}}<tr><th scope="row">Began, ended</th><td>{{.}}, {{with stamp $.O.Ended}}{{.}}{{else}}not ended{{end}}</td></tr>{{end}}
{{with .Run.Location}}<tr><th scope="row">Location left</th><td>{{plain .}}</td></tr>{{end}}
{{with .O.Codes}}<tr><th scope="row">Reason codes</th><td><code>{{names .}}</code></td></tr>{{end}}
</tbody></table>
{{with .Line}}<h2>The run, to scale</h2>
<div class="draw"><svg viewBox="0 0 930 170" role="img" aria-labelledby="drawn"><title id="drawn">The instants of the run; the journal below says the same</title>
<line x1="20" x2="820" y1="24" y2="24" stroke="#1f5f99" stroke-width="4"/>
{{range .}}<circle cx="{{coord .X}}" cy="24" r="6" fill="#1f5f99"/><line x1="{{coord .X}}" x2="{{coord .X}}" y1="30" y2="{{below .Row}}" stroke="#c8d0d8"/><text x="{{coord .X}}" y="{{below .Row}}" dy="8">{{.Name}}</text><text class="soft" x="{{coord .X}}" y="{{below .Row}}" dy="21">{{clock .At}}</text>
{{end}}</svg></div>{{end}}
<h2>What was measured</h2>
<table><thead><tr><th scope="col">what</th><th scope="col">group</th><th scope="col">found</th><th scope="col">evidence</th></tr></thead><tbody>
{{range .Run.Evidence}}<tr><td>{{.What}}</td><td>{{plain .Group}}</td><td class="{{yes .Found}}"><strong>{{.Found}}</strong></td><td>{{plain .Text}}</td></tr>
{{else}}<tr><td colspan="4">Nothing: it did not come so far.</td></tr>
{{end}}</tbody></table>
{{with .Slices}}<h2>Traffic on each circuit</h2>
<p class="soft">Bits in and out a second between two looks at the byte counters, all to the same scale.</p>
{{range .}}<div class="draw"><svg viewBox="0 0 930 92" role="img" aria-label="{{plain .Text}}"><rect x="20" y="16" width="800" height="60" fill="#f3f6f8"/>
{{range .Bars}}<rect x="{{shift .X}}" y="{{drop .Y}}" width="{{coord .W}}" height="{{coord .H}}" fill="#1f5f99"/>{{end}}
{{range .Marks}}<line x1="{{shift .X}}" x2="{{shift .X}}" y1="16" y2="80" stroke="#8a5300" stroke-dasharray="4 3"/><text class="soft" x="{{shift .X}}" y="90">{{.Name}}</text>{{end}}
<text x="20" y="11">{{plain .Circuit}}</text><text class="soft" x="826" y="26">{{.Most}}</text></svg></div>
<p>{{plain .Text}}.</p>{{end}}{{end}}
{{with .Weights}}<h2>Weights before, during and after</h2>
<table><thead><tr><th scope="col">connection</th><th scope="col">circuit</th><th scope="col">before</th><th scope="col">during</th><th scope="col">after</th><th scope="col">as before?</th></tr></thead><tbody>
{{range .}}<tr><td>{{plain .Connection}}<br><span class="soft">{{plain .Group}}</span></td><td>{{plain .Circuit}}</td><td class="n">{{.Before}}</td><td class="n">{{.During}}</td><td class="n">{{.After}}</td><td>{{if .Same}}<strong class="good">yes</strong>{{else if .Taken}}<strong>the incident's</strong>{{else}}<strong class="bad">no</strong>{{end}}</td></tr>
{{end}}</tbody></table>
<p class="soft">Before: read when the way back was armed. After: read afresh at the end. The hash of everything else in the connection is compared too.</p>{{end}}
<h2>The way back, armed first</h2>
{{if .Run.UndoHash}}<p>Stored {{stamp .Run.ArmedAt}} by <code>{{plain .Run.ArmedBy}}</code> with the deadline {{stamp .Run.Deadline}}, as <code>{{plain .Run.UndoHash}}</code>. {{with stamp .Run.SeenAt}}Read back {{.}} by <code>{{plain $.Run.SeenBy}}</code>, before anything was ordered.{{else}}It was never read back, so nothing was ordered.{{end}}</p>
{{else}}<p>Nothing was to be undone: nothing was written.</p>{{end}}
{{range .Run.Plans}}{{if .Steps}}<h2>Plan for {{plain .Group}}</h2>
<p><code>{{plain .ID}}</code>: from {{names .From}} to {{names .To}}.</p>
<table><thead><tr><th scope="col">connection</th><th scope="col">circuit</th><th scope="col">from</th><th scope="col">to</th></tr></thead><tbody>
{{range .Steps}}<tr><td>{{leaf .Connection}}</td><td>{{plain .Circuit}}</td>{{if .Does}}<td colspan="2">{{plain .Does}}</td>{{else}}<td class="n">{{.From}}</td><td class="n">{{.To}}</td>{{end}}</tr>
{{end}}</tbody></table>{{end}}{{end}}
<h2>Checks before the start</h2>
<table><thead><tr><th scope="col">check</th><th scope="col">answer</th><th scope="col">why</th></tr></thead><tbody>
{{range .Run.Checks}}<tr><td>{{plain .Name}}</td><td class="{{if .OK}}good{{else}}bad{{end}}"><strong>{{if .OK}}passed{{else}}held{{end}}</strong></td><td>{{plain .Text}}{{with .Codes}} <code>{{names .}}</code>{{end}}</td></tr>
{{else}}<tr><td colspan="3">None was asked.</td></tr>
{{end}}</tbody></table>
{{range .R.Operations}}<h2>{{plain .Kind}} of {{plain .Group}}: {{with .Result}}{{plain .}}{{else}}runs{{end}}</h2>
<p><code>{{plain .ID}}</code>, from {{names .From}} to {{names .To}}; other direction: {{plain .Symmetry}}. Its own report: <code>erfailover report {{plain .ID}}</code></p>
<table><thead><tr><th scope="col">stage</th><th scope="col">at</th><th scope="col">took</th><th scope="col">since the signal</th></tr></thead><tbody>
{{range .Ledger.Stages}}<tr><td>{{.Name}}</td><td class="n">{{stamp .At}}</td><td class="n">{{span .TookMS}}</td><td class="n">{{span .SinceMS}}</td></tr>
{{end}}</tbody></table>
{{with .Notes}}<ul>{{range .}}<li>{{plain .}}</li>{{end}}</ul>{{end}}
<p class="soft">{{range .Steps}}{{with .Correlation}}<code>{{plain .}}</code> {{end}}{{end}}</p>
{{end}}
<h2>Journal</h2>
<p>Stream <code>drill.{{plain .R.Name}}</code>; its chain of hashes was followed from the first entry to entry {{.R.Head.Seq}}:<br><code class="hash">{{plain .R.Head.Hash}}</code></p>
<table><thead><tr><th scope="col">entry</th><th scope="col">at</th><th scope="col">what</th></tr></thead><tbody>
{{range .R.Entries}}<tr><td class="n">{{.Seq}}</td><td class="n">{{stamp .At}}</td><td><code>{{plain .Code}}</code>{{with .Actor}} by {{plain .}}{{end}} {{plain .Text}}<br><span class="hash">{{plain .Hash}}</span></td></tr>
{{end}}</tbody></table>
<footer><p>Made {{stamp .R.Made}}.</p></footer>
</body>
</html>
`
