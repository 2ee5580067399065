package page

import (
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"erfailover/failover/fault"
)

// ask sends a request to the scene's page.
func (s *scene) ask(t *testing.T, method, target, form string, head ...string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := New(s.options())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, target, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestRoutes is every address with its status.
func TestRoutes(t *testing.T) {
	sc := failoverScene()
	for _, row := range []struct {
		method, target, form string
		status               int
		says                 string
	}{
		{"GET", "/api/", "", 200, "Is anything wrong?"},
		{"HEAD", "/api/", "", 200, ""},
		{"GET", "/api?code=k", "", 307, ""},
		{"GET", "/api/?group=east", "", 200, "Paths and weights"},
		{"GET", "/api/?group=nowhere", "", 404, "There is no such group"},
		{"GET", "/api/?operation=op-0011223344556677", "", 200, "Recovery ledger"},
		{"GET", "/api/?operation=op-none", "", 404, "it may be too old"},
		{"GET", "/api/?journal=group.east", "", 200, "Journal of"},
		{"GET", "/api/?journal=group.east&before=x", "", 400, "Follow the links"},
		{"GET", "/api/?do=failover&group=east", "", 200, "Show the plan"},
		{"GET", "/api/?ready=1", "", 200, "No drill is configured"},
		{"GET", "/api/?do=conquer&group=east", "", 404, "no such order"},
		{"GET", "/api/?do=failover&group=nowhere", "", 404, "no such order"},
		{"GET", "/api/?do=kill&group=east", "", 404, "no such order"},
		{"GET", "/api/?do=kill", "", 200, "Sets the kill switch"},
		{"POST", "/api/", "", 404, ""},
		{"GET", "/api/order", "", 404, ""},
		{"GET", "/api/page.go", "", 404, ""},
		{"POST", "/api/order", "do=pause&group=east&name=west&user=dana", 422, "what you typed is not right"},
		{"POST", "/api/order", "do=pause&group=east&name=east", 422, "say who you are"},
		{"POST", "/api/order", "do=pause&group=east&name=east&user=dana&hours=1h", 303, ""},
		{"POST", "/api/order", strings.Repeat("x", maxForm+1), 400, "The form cannot be read"},
		{"GET", "/api/page.css", "", 200, "prefers-color-scheme"},
		{"GET", "/api/page.js", "", 200, "use strict"},
	} {
		w := sc.ask(t, row.method, row.target, row.form)
		if w.Code != row.status || !strings.Contains(w.Body.String(), row.says) {
			t.Errorf("%s %s: got %d, want %d and %q in\n%.300s", row.method, row.target, w.Code, row.status, row.says, w.Body)
		}
		if got := w.Header().Get("Content-Security-Policy"); got != policyHeader {
			t.Errorf("%s %s: policy %q", row.method, row.target, got)
		}
	}
	if o := sc.taken(); len(o) != 1 || o[0].body["until"] != at.Add(time.Hour).Format(time.RFC3339) {
		t.Errorf("the API got %+v, want one pause that ends in an hour", o)
	}
}

// TestNothingInline keeps the page within its policy: no inline script, no inline
// style, no handler, nothing from elsewhere.
func TestNothingInline(t *testing.T) {
	sc := failoverScene()
	for _, q := range []string{"", "?group=east", "?do=failover&group=east", "?operation=op-0011223344556677"} {
		body := sc.ask(t, "GET", "/api/"+q, "").Body.String()
		for _, bad := range []string{"<style", " style=", " onclick", " onload", "http://", "https://", "//cdn"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: the page holds %q", q, bad)
			}
		}
		if n := strings.Count(body, "<script"); n != 1 {
			t.Errorf("%s: %d scripts, want the one file", q, n)
		}
	}
}

// TestUnchanged costs nothing when nothing is new, and is new when something is.
func TestUnchanged(t *testing.T) {
	sc := failoverScene()
	first := sc.ask(t, "GET", "/api/", "")
	tag := first.Header().Get("ETag")
	sc.change(func() { // time goes on and a penalty decays: that is no news
		sc.look.Status.At = at.Add(5 * time.Second)
		sc.look.Status.Groups[0].Circuits[0].Penalty -= 10
	})
	again := sc.ask(t, "GET", "/api/", "", "If-None-Match", tag)
	if tag == "" || again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("got %d with %d bytes for the same news, want 304", again.Code, again.Body.Len())
	}
	if got := again.Header().Get("X-Status-At"); got != at.Add(5*time.Second).Format(time.RFC3339Nano) {
		t.Errorf("X-Status-At: got %q: an old page would not know that it is fresh", got)
	}
	sc.change(func() { sc.look.Status.Groups[0].Circuits[0].Observers++ })
	if w := sc.ask(t, "GET", "/api/", "", "If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("got %d after a change, want 200", w.Code)
	}
}

// TestUnreadable says that the record cannot be read, never that all is well.
func TestUnreadable(t *testing.T) {
	sc := calmScene()
	sc.err = &fault.Error{Op: "read", Kind: fault.Unavailable, Hint: "look at the storage account", Err: errors.New("secret detail")}
	w := sc.ask(t, "GET", "/api/", "")
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "look at the storage account") || strings.Contains(w.Body.String(), "secret detail") || strings.Contains(w.Body.String(), "are well") {
		t.Errorf("got %d\n%s", w.Code, w.Body)
	}
}

// TestAdmit shows nothing to whom it does not let in.
func TestAdmit(t *testing.T) {
	sc := failoverScene()
	o := sc.options()
	o.Admit = func(*http.Request) error { return &Refused{Status: 401, Detail: "sign in first"} }
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"", "?group=east", "?do=failover&group=east"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/api/"+q, nil))
		if w.Code != 401 || strings.Contains(w.Body.String(), "ashburn") || sc.looks > 0 {
			t.Errorf("%s: got %d after %d looks", q, w.Code, sc.looks)
		}
	}
}

// TestKeyStaysInside keeps the function key in the addresses of our own pages, and
// an absurd one nowhere.
func TestKeyStaysInside(t *testing.T) {
	sc := failoverScene()
	body := sc.ask(t, "GET", "/api/?code=k3y%22%3E%3Cb", "").Body.String()
	if strings.Contains(body, `k3y">`) || !strings.Contains(body, "code=k3y%22%3E%3Cb") {
		t.Error("the key is not escaped, or is lost")
	}
	text := body
	for _, attr := range []string{`href="`, `src="`, `action="`, `value="`} {
		for part, rest, ok := strings.Cut(text, attr); ok; part, rest, ok = strings.Cut(text, attr) {
			_, after, _ := strings.Cut(rest, `"`)
			text = part + after
		}
	}
	if strings.Contains(text, "k3y") {
		t.Error("the key stands where a person would read or copy it")
	}
	if body := sc.ask(t, "GET", "/api/?code="+strings.Repeat("k", 300), "").Body.String(); strings.Contains(body, "kkkk") {
		t.Error("an absurd key is kept")
	}
}

// TestOrderOnce gives a form that is sent twice the same idempotency key.
func TestOrderOnce(t *testing.T) {
	sc := plannedScene()
	if body := sc.ask(t, "GET", "/api/?do=pause&group=east", "").Body.String(); !strings.Contains(body, `name="key" value="page-`) {
		t.Error("the form has no key of its own: sent twice it would be two orders")
	}
	form := url.Values{"do": {"failover"}, "group": {"east"}, "name": {"east"}, "user": {"dana"}, "plan": {"p-aa11223344556677"}, "key": {"page-1"}, "override": {"headroom", "damped"}}.Encode()
	for range 2 {
		if w := sc.ask(t, "POST", "/api/order?code=k", form); w.Code != http.StatusSeeOther || !strings.Contains(w.Header().Get("Location"), "code=k") {
			t.Fatalf("got %d to %q\n%s", w.Code, w.Header().Get("Location"), w.Body)
		}
	}
	o := sc.taken()
	if len(o) != 2 || o[0].key != "page-1" || o[1].key != "page-1" {
		t.Errorf("the API got %+v, want the same key twice", o)
	}
}

// TestTimeline tells a change of a circuit once, whatever the number of groups, and
// leaves the single steps out.
func TestTimeline(t *testing.T) {
	sc := failoverScene()
	sc.tell("east", "step.ended", "one of many steps")
	if body := sc.ask(t, "GET", "/api/?group=east", "").Body.String(); strings.Contains(body, "one of many steps") || !strings.Contains(body, "failover from ashburn to chicago") {
		t.Error("the timeline shows single steps, or not the decision")
	}
	same := merge([]entryView{{Lead: "east", Circuit: "a", Text: "down", At: at}, {Lead: "south", Circuit: "a", Text: "down", At: at}, {Lead: "east", Circuit: "b", Text: "down", At: at}})
	if len(same) != 2 || same[0].Lead != "east, south" {
		t.Errorf("got %+v", same)
	}
}

// FuzzText shows any text as text: bounded, valid, without control or direction
// marks, and never as markup.
func FuzzText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{label(s), prose(s), short(s), labels([]string{s, s}), clip(s, 15)} {
			if !utf8.ValidString(strings.ToValidUTF8(got, "\uFFFD")) || len(got) > maxProse {
				t.Errorf("%d bytes of %q", len(got), got)
			}
			for _, r := range got {
				if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
					t.Errorf("%q is shown with %U", got, r)
				}
			}
		}
		if n := utf8.RuneCountInString(clip(s, 15)); n > 15 {
			t.Errorf("%d characters in a box for 15", n)
		}
		sc := calmScene()
		sc.look.Status.Groups[0].Verdict.Reasons[0].Text = s
		h, err := New(sc.options())
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/api/?group=east", nil))
		body, _ := io.ReadAll(w.Body)
		if want := prose(s); !strings.Contains(html.UnescapeString(string(body)), want) && utf8.ValidString(want) {
			t.Errorf("%q is not on the page", want)
		}
		if strings.Count(string(body), "<script") != 1 {
			t.Errorf("%q became markup", s)
		}
	})
}

// render asks for the first screen and returns its size in bytes.
func render(b *testing.B, h http.Handler) int {
	b.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/", nil))
	if w.Code != http.StatusOK {
		b.Fatalf("got %d", w.Code)
	}
	return w.Body.Len()
}
