package handlers

import (
	"bytes"
	"context"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// announced is a calendar of one drill that is announced, as the real one answers.
type announced struct {
	fakeDrills
	doc   drill.Document
	now   func() time.Time
	asked int
}

func (a *announced) spec() drill.Spec {
	return drill.Spec{Name: "monthly", Group: "east", Kind: drill.Move, Hold: 20 * time.Minute, Limit: 45 * time.Minute, Announce: time.Hour}
}

func (a *announced) Show(context.Context, string) (drill.View, error) {
	a.asked++
	return drill.MakeView(a.spec(), a.doc, "", "", a.now()), a.err
}

func (a *announced) Order(_ context.Context, _ string, verb DrillVerb, ask drill.Ask) (drill.View, error) {
	a.verb, a.ask = verb, ask
	next, err := drill.Cancel(a.doc, drill.Input{Spec: a.spec(), Now: a.now()}, ask)
	if err != nil {
		return drill.View{}, err
	}
	a.doc = next
	return drill.MakeView(a.spec(), a.doc, "", "", a.now()), nil
}

var linkKeyOfTests = []byte("0123456789abcdef0123456789abcdef")

// announcedBench is a handler whose calendar has announced a drill, with the address
// that the announcement carries.
func announcedBench(t *testing.T) (a *announced, b *bench, address string) {
	b = newBench(t)
	a = &announced{now: func() time.Time { return b.options.Now() }}
	d, _, _ := drill.Step(drill.Document{Phase: drill.Idle}, drill.Input{Spec: a.spec(), Now: at})
	d, err := drill.Start(d, drill.Input{Spec: a.spec(), Now: at}, drill.Ask{By: "ana", In: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	a.doc = d
	var entry record.Entry
	for _, e := range d.Pending {
		if e.Code == "drill.announce" {
			entry = e
		}
	}
	l, ok := drill.CancelLinkOf(entry)
	if !ok || !l.Start.Equal(d.Next) || !l.Until.Equal(d.Next) {
		t.Fatalf("the announcement tells %+v (%t), the start is %s", l, ok, d.Next)
	}
	b.options.Calendar, b.options.LinkKey = a, linkKeyOfTests
	return a, b, AnnouncementPath(l.Drill) + "?" + l.Query(linkKeyOfTests)
}

// TestAnnouncementIsOnlyLookedAt: whoever opens the link, and however often, changes
// nothing; the form calls just that start off, once.
func TestAnnouncementIsOnlyLookedAt(t *testing.T) {
	a, b, address := announcedBench(t)
	var log bytes.Buffer
	b.options.Log = zerolog.New(&log)
	h := b.handler()
	for _, method := range []string{"GET", "HEAD", "GET"} {
		w := ask(h, method, address, "")
		if w.Code != 200 || a.verb != "" || a.doc.Phase != drill.Announced {
			t.Fatalf("%s: got %d, the drill is %s and was asked %q", method, w.Code, a.doc.Phase, a.verb)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s, %s", method, csp, w.Header().Get("Cache-Control"))
		}
		if body := w.Body.String(); method == "GET" && (!strings.Contains(body, `<form method="post">`) || !strings.Contains(body, "monthly") || !strings.Contains(body, "20m0s")) {
			t.Errorf("the page does not say what would be called off: %s", body)
		}
	}
	form := func(values url.Values) *httptest.ResponseRecorder {
		return ask(h, "POST", address, values.Encode(), "Content-Type: application/x-www-form-urlencoded")
	}
	if w := form(url.Values{"reason": {"change freeze"}}); w.Code != 422 || a.verb != "" || !strings.Contains(w.Body.String(), "write your name") {
		t.Errorf("without a name: %d %s", w.Code, w.Body)
	}
	if w := form(url.Values{"name": {"José"}, "reason": {strings.Repeat("x", 600)}}); w.Code != 422 || a.verb != "" {
		t.Errorf("a long reason: %d", w.Code)
	}
	if w := ask(h, "POST", address, "name=eve", "Content-Type: application/x-www-form-urlencoded", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"); w.Code != 403 || a.verb != "" {
		t.Errorf("a form of another page: %d", w.Code)
	}
	start := a.doc.Next
	w := form(url.Values{"name": {"José"}, "reason": {"change freeze"}})
	if w.Code != 200 || a.verb != DrillCancel || !a.ask.Start.Equal(start) || a.ask.By != "José, by the link of the announcement" || a.ask.Reason != "change freeze" || a.doc.Phase != drill.Idle {
		t.Fatalf("%d %+v, the drill is %s", w.Code, a.ask, a.doc.Phase)
	}
	if !strings.Contains(w.Body.String(), "It is called off") || !strings.Contains(w.Body.String(), "José") || strings.Contains(w.Body.String(), "<form") {
		t.Errorf("after it was called off: %s", w.Body)
	}
	a.verb = ""
	if w := form(url.Values{"name": {"ana"}}); w.Code != 200 || a.verb != "" {
		t.Errorf("sent again: %d, ordered %q", w.Code, a.verb)
	}
	for _, secret := range []string{string(linkKeyOfTests), "proof", start.Format("15:04:05.000000000")} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, log.String())
		}
	}
	if !strings.Contains(log.String(), "/drills/{drill}/announcement") {
		t.Errorf("the log does not tell of the request: %s", log.String())
	}
}

// TestAnnouncementLinksThatAreNotGood: cut, changed, of another drill, made with
// another key, too late, or of a start that was planned anew: nothing is told of the
// estate, and nothing is done.
func TestAnnouncementLinksThatAreNotGood(t *testing.T) {
	a, b, address := announcedBench(t)
	h := b.handler()
	path, query, _ := strings.Cut(address, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name, value string) string {
		c := url.Values{}
		for k, v := range q {
			c[k] = v
		}
		c.Set(name, value)
		return path + "?" + c.Encode()
	}
	l := drill.CancelLink{Drill: "monthly", Start: a.doc.Next, Until: a.doc.Next}
	proof := q.Get("proof")
	for name, target := range map[string]string{
		"no query": path, "no proof": path + "?start=" + q.Get("start") + "&until=" + q.Get("until"), "empty proof": with("proof", ""),
		"cut proof": with("proof", proof[:len(proof)-1]), "other proof": with("proof", strings.Repeat("A", len(proof))),
		"later end":        with("until", "9000000000000000000"),
		"another start":    with("start", "1"),
		"another drill":    strings.Replace(address, "/monthly/", "/weekly/", 1),
		"twice":            address + "&proof=" + proof,
		"another key":      path + "?" + l.Query([]byte("another key of thirty-two bytes!")),
		"no key":           path + "?" + l.Query(nil),
		"a number too big": with("start", "99999999999999999999"),
	} {
		for _, method := range []string{"GET", "POST"} {
			a.asked = 0
			w := ask(h, method, target, "name=eve", "Content-Type: application/x-www-form-urlencoded")
			if w.Code != 403 || a.verb != "" || a.asked != 0 || strings.Contains(w.Body.String(), "east") || strings.Contains(w.Body.String(), "<form") {
				t.Errorf("%s, %s: %d, ordered %q, looked %d times: %s", method, name, w.Code, a.verb, a.asked, w.Body)
			}
		}
	}
	post := func() *httptest.ResponseRecorder {
		return ask(h, "POST", address, "name=ana", "Content-Type: application/x-www-form-urlencoded")
	}
	a.err = &fault.Error{Op: "read", Kind: fault.Unavailable}
	if w := post(); w.Code != 503 || a.verb != "" {
		t.Errorf("the record is away: %d %s", w.Code, w.Body)
	}
	a.err = nil
	kept := a.doc
	a.doc.Next = a.doc.Next.Add(24 * time.Hour) // the calendar was changed
	if w := post(); w.Code != 200 || a.verb != "" || !strings.Contains(w.Body.String(), "no longer planned") {
		t.Errorf("planned anew: %d %s", w.Code, w.Body)
	}
	a.doc = kept
	a.doc.Phase, a.doc.ArmedAt = drill.Holding, kept.Next // a clock that is fast elsewhere
	if w := post(); w.Code != 200 || a.verb != "" || !strings.Contains(w.Body.String(), "It has begun") {
		t.Errorf("begun: %d %s", w.Code, w.Body)
	}
	a.doc = kept
	b.options.Now = func() time.Time { return at.Add(time.Hour) }
	h = b.handler()
	for _, method := range []string{"GET", "POST"} {
		if w := ask(h, method, address, "name=ana", "Content-Type: application/x-www-form-urlencoded"); w.Code != 410 || a.verb != "" || strings.Contains(w.Body.String(), "<form") {
			t.Errorf("%s at the start: %d, ordered %q", method, w.Code, a.verb)
		}
	}
	b.options.LinkKey = nil
	if w := ask(b.handler(), "GET", address, ""); w.Code != 403 {
		t.Errorf("without a key: %d", w.Code)
	}
}
