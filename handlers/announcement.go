package handlers

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// AnnouncementPath returns the path of the page on which a person calls an announced
// drill off.
func AnnouncementPath(name string) string {
	return base + "/drills/" + url.PathEscape(name) + "/announcement"
}

// maxAnnouncementForm bounds the form of that page, in bytes.
const maxAnnouncementForm = 8 << 10

// announcementRoutes are for whoever has got the announcement of a drill: its address
// is signed, for one start of one drill, and that is the only proof. To look changes
// nothing, whoever looks: mail scanners open every link.
func (s *server) announcementRoutes() []route {
	params := []param{
		{in: "query", name: "start", about: "the start meant, in nanoseconds of Unix time"},
		{in: "query", name: "until", about: "when the link ends, in nanoseconds of Unix time"},
		{in: "query", name: "proof", about: "what signs the two, and the drill"}}
	const path = "/drills/{drill}/announcement"
	reply := map[int]any{200: htmlPage{}}
	return []route{
		{method: http.MethodGet, path: path, signed: true, id: "drillAnnouncement", about: "The page of a signed link in the announcement of a drill: shows what would be called off, and asks. It changes nothing.", params: params, reply: reply, do: s.getAnnouncement},
		{method: http.MethodPost, path: path, signed: true, form: callOff{}, id: "callOffDrill", about: "The form of that page: calls off the one start that the link is for. The name that is given is noted, and not proven.", params: params, reply: reply, do: s.postAnnouncement},
	}
}

// callOff is the form of the page.
type callOff struct {
	Name   string `json:"name"`            // of the person, as they write it; at most 128 bytes
	Reason string `json:"reason,omitzero"` // at most 512 bytes
}

// announcement is what the page shows.
type announcement struct {
	Title string
	Says  []string
	Facts [][2]string
	Form  bool
	Wrong string // what is wrong with the form
	Name  string
	Why   string
	Now   time.Time
}

// linked is a request by a link that is good: the drill as it is now.
type linked struct {
	link drill.CancelLink
	view drill.View
}

// linked checks the link of a request, and asks for the drill. When that gives no
// drill, the answer is what to say instead.
func (s *server) linked(ctx context.Context, r request) (linked, answer, bool) {
	name := r.PathValue("drill")
	no := func(status int, a announcement) (linked, answer, bool) {
		return linked{}, s.announce(r, status, a), false
	}
	l, good := drill.ReadCancelLink(name, r.URL.Query(), s.LinkKey)
	switch {
	case !good:
		return no(http.StatusForbidden, announcement{Title: "This link is not good", Says: []string{"It was cut short or changed on its way, or it was made with a key that is no longer used. Nothing was done.", "Whoever may order can call a drill off with: erfailover drill cancel NAME"}})
	case !s.Now().Before(l.Until):
		return no(http.StatusGone, announcement{Title: "The time of this link is over", Says: []string{"It was good until the drill began. Nothing was done.", "Whoever may order can end a drill that is on: erfailover drill stop " + name}})
	case s.Calendar == nil:
		return no(http.StatusNotFound, announcement{Title: "There is no such drill any more", Says: []string{"Nothing was done."}})
	}
	leave, err := s.gate.enter(ctx, "link "+name, s.Now())
	if err != nil {
		return no(problemOf(err).Status, unreached())
	}
	defer leave()
	v, err := s.Calendar.Show(ctx, name)
	switch {
	case errors.Is(err, fault.NotFound):
		return no(http.StatusNotFound, announcement{Title: "There is no such drill any more", Says: []string{"It was taken out of the configuration. Nothing was done."}})
	case err != nil:
		return no(problemOf(err).Status, unreached())
	}
	return linked{l, v}, answer{}, true
}

func unreached() announcement {
	return announcement{Title: "The drill cannot be reached now", Says: []string{"Nothing was done. Load this page again in a minute."}}
}

func (s *server) getAnnouncement(ctx context.Context, r request) (answer, error) {
	k, instead, ok := s.linked(ctx, r)
	if !ok {
		return instead, nil
	}
	return s.announce(r, http.StatusOK, k.page()), nil
}

// postAnnouncement calls off the start that the link is for.
func (s *server) postAnnouncement(ctx context.Context, r request) (answer, error) {
	k, instead, ok := s.linked(ctx, r)
	if !ok {
		return instead, nil
	}
	a := k.page()
	if !a.Form {
		return s.announce(r, http.StatusOK, a), nil
	}
	r.Body = http.MaxBytesReader(r.w, r.Body, maxAnnouncementForm)
	if err := r.ParseForm(); err != nil {
		a.Wrong = "The form could not be read. Send it again."
		return s.announce(r, http.StatusUnprocessableEntity, a), nil
	}
	f := callOff{Name: strings.TrimSpace(r.PostForm.Get("name")), Reason: strings.TrimSpace(r.PostForm.Get("reason"))}
	a.Name, a.Why = f.Name, f.Reason
	switch {
	case !words(f.Name, maxName):
		a.Wrong = "Nothing was called off yet: write your name, so that others know whom to ask."
	case f.Reason != "" && !words(f.Reason, maxReason):
		a.Wrong = "Nothing was called off yet: the reason is too long."
	}
	if a.Wrong != "" {
		return s.announce(r, http.StatusUnprocessableEntity, a), nil
	}
	v, err := s.Calendar.Order(ctx, k.view.Name, DrillCancel, drill.Ask{By: f.Name + ", by the link of the announcement", Reason: f.Reason, Start: k.link.Start})
	switch {
	case errors.Is(err, fault.Refused):
		if k.view, err = s.Calendar.Show(ctx, k.view.Name); err == nil {
			return s.announce(r, http.StatusConflict, k.page()), nil
		}
		fallthrough
	case err != nil:
		return s.announce(r, problemOf(err).Status, unreached()), nil
	}
	k.view = v
	return s.announce(r, http.StatusOK, k.page()), nil
}

// page says how the announced start stands.
func (k linked) page() announcement {
	v, start := k.view, stampOf(k.link.Start)
	a := announcement{Facts: [][2]string{{"Drill", v.Name}, {"Group", v.Group}, {"Kind", string(v.Kind)}, {"Start", start}}}
	planned := v.Next.Equal(k.link.Start)
	switch {
	case v.Running && (planned || v.Run != nil && !v.Run.ArmedAt.Before(k.link.Start)):
		a.Title = "It has begun"
		a.Says = []string{"The drill is on: " + v.Says + ".", "This link cannot stop it. Whoever may order can: erfailover drill stop " + v.Name}
	case planned:
		a.Title, a.Form = "Call this drill off?", true
		a.Says = []string{does(v), "Calling it off is noted in the journal under your name, and everybody who got the announcement is told. The start after it stays planned."}
		if v.Kind != drill.Tabletop {
			a.Facts = append(a.Facts, [2]string{"On the standby for", (time.Duration(v.HoldMS) * time.Millisecond).String()})
		}
	default:
		a.Title = "This start is no longer planned"
		a.Says = []string{"The drill now: " + v.Says + "."}
		for _, o := range v.History {
			if o.Result == drill.Cancelled && strings.Contains(o.Why, start) {
				a.Title, a.Says = "It is called off", []string{strings.ToUpper(o.Why[:1]) + o.Why[1:] + ".", "It will not begin. " + strings.ToUpper(v.Says[:1]) + v.Says[1:] + "."}
				break
			}
		}
	}
	return a
}

// does says what a drill would do, for somebody who only wants to know whether it may.
func does(v drill.View) string {
	switch v.Kind {
	case drill.Move:
		return "It moves the traffic of " + v.Group + " to its standby circuit on purpose, and back."
	case drill.Evacuate:
		return "It moves the traffic of " + v.Group + ", and of every other group at the same peering location, to their standby circuits on purpose, and back."
	case drill.Disconnect:
		return "It cuts the gateways of " + v.Group + " off one peering location on purpose, and lets them back."
	case drill.Link:
		return "It cuts one of the two links of the circuit of " + v.Group + " on purpose, and lets it back."
	case drill.Tabletop:
		return "It only decides and plans on paper; nothing is moved."
	}
	return "It rehearses a failover of " + v.Group + "."
}

func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// announce makes the reply with the page.
func (s *server) announce(r request, status int, a announcement) answer {
	a.Now = s.Now()
	var b bytes.Buffer
	if err := announcementPage().Execute(&b, a); err != nil {
		b.Reset()
		b.WriteString("<!DOCTYPE html><title>failed</title><p>The page could not be written. Nothing is known to have been done.")
		status = http.StatusInternalServerError
	}
	h := r.w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin") // a form of a page without one says that it comes from nowhere, and is refused
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	return answer{status: status, text: b.Bytes(), media: "text/html; charset=utf-8"}
}

// announcementPage is the page: no script, large enough for a thumb, and in words.
func announcementPage() *template.Template {
	return template.Must(template.New("announcement").Funcs(template.FuncMap{
		"plain": func(s string) string { return record.Clean(s, 1024) },
		"stamp": stampOf,
	}).Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{plain .Title}}</title>
<style>
:root{color-scheme:light dark;--line:#8a96a3;--bad:#a3152a}
@media (prefers-color-scheme:dark){:root{--bad:#ff8a96}}
*{box-sizing:border-box}
body{font:17px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;max-width:34rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.2;margin:.5rem 0}
dl{display:grid;grid-template-columns:auto 1fr;gap:.2rem 1rem;margin:1rem 0}
dt{opacity:.75}dd{margin:0;font-weight:600}
label{display:block;margin:.8rem 0 .2rem}
input{font:inherit;width:100%;padding:.7rem;border:1px solid var(--line);border-radius:.4rem}
button{font:inherit;font-weight:700;width:100%;padding:.9rem;margin:1.2rem 0 .5rem;border:0;border-radius:.4rem;background:#a3152a;color:#fff}
:focus-visible{outline:3px solid #1f5f99;outline-offset:2px}
.wrong{color:var(--bad);font-weight:700;border-left:.3rem solid;padding-left:.7rem}
small{opacity:.75}
</style>
</head>
<body>
<main{{if not .Form}} id="said"{{end}}>
<h1>{{plain .Title}}</h1>
{{with .Wrong}}<p class="wrong" role="alert">{{plain .}}</p>{{end}}
{{range .Says}}<p>{{plain .}}</p>
{{end}}{{with .Facts}}<dl>{{range .}}<dt>{{index . 0}}</dt><dd>{{plain (index . 1)}}</dd>
{{end}}</dl>{{end}}
{{if .Form}}<form method="post">
<label for="name">Your name</label><input id="name" name="name" value="{{plain .Name}}" maxlength="128" required autocomplete="name">
<label for="reason">Why (may be left empty)</label><input id="reason" name="reason" value="{{plain .Why}}" maxlength="512">
<button>Call this drill off</button>
</form>
<p><small>To let it take place, close this page: nothing has happened by opening it.</small></p>{{end}}
<p><small>erfailover, {{stamp .Now}}</small></p>
</main>
</body>
</html>
`))
}
