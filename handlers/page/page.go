package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// Base is where the page lives. Its links are relative, so that a proxy may put it
// elsewhere.
const Base = "/api/"

// policyHeader allows what the page needs and nothing else: no inline code or
// style, no other host, no frame around it.
const policyHeader = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// Look is one look at the estate: what is believed and what exists.
type Look struct {
	Status report.Status
	Estate topology.Estate
}

// Plan is what an order would do: the plan has the ID that the real run would give
// it.
type Plan struct {
	Verdict policy.Verdict
	Plan    planner.Plan // without steps when the verdict holds
	Refused string       // why no safe plan could be made
}

// Refused is an answer of Admit: this caller may not see the page.
type Refused struct {
	Status int    // HTTP status
	Detail string // what is missing, for the caller
}

// Error returns the detail.
func (e *Refused) Error() string { return e.Detail }

// Options are the parts of the page. All functions are called by many requests at
// once.
type Options struct {
	// Look reads the estate. Looks are shared for Fresh.
	Look func(ctx context.Context) (Look, error)
	// Operation reads one operation; an error of the kind NotFound when there is none.
	Operation func(ctx context.Context, id string) (report.Operation, error)
	// Journal returns up to limit entries of a stream, newest first, that come before
	// the entry of that number; 0 means from the end. Streams are "estate",
	// "group.NAME" and "circuit.NAME".
	Journal func(ctx context.Context, stream string, before uint64, limit int) ([]record.Entry, error)
	// Admit says whether the caller of a request may read: nil, or a Refused. Without
	// it somebody in front has asked.
	Admit func(r *http.Request) error
	// Sees says which groups the caller of a request may see; nil, and a nil answer,
	// mean everything. What is hidden is answered like what does not exist.
	Sees func(r *http.Request) func(group string) bool
	// Plan says what an order would do now. It writes nothing.
	Plan func(ctx context.Context, o events.Order) (Plan, error)
	// Ready reckons the readiness, and Drills lists the rehearsals, whenever the screen
	// about them is asked for; without one the screen leaves it out.
	Ready  ReadyFunc
	Drills func(ctx context.Context) ([]Drill, error)
	// Graded tells what past decisions of the groups that the caller sees were worth;
	// nil: the screen leaves it out.
	Graded func(ctx context.Context, sees func(group string) bool) ([]Graded, error)
	// API takes the orders.
	API http.Handler
	// AskName says that the caller names itself in the form, because a shared key or
	// loopback does not tell who calls.
	AskName bool
	// Now tells the time of the estate.
	Now func() time.Time
	// Fresh is how long one look serves everybody; default 1 s.
	Fresh time.Duration
}

//go:embed page.html page.css page.js
var assets embed.FS

// server renders the page.
type server struct {
	Options
	tmpl  *template.Template
	looks shared
	lines timelines
	files map[string]asset
	rev   string // of the assets, so that a new version is fetched at once
}

// asset is one file that we serve.
type asset struct {
	kind string
	body []byte
}

// New returns the page's handler, for the paths under /api/ that the API does not
// know. It fails when a part is missing.
func New(o Options) (http.Handler, error) {
	if o.Look == nil || o.Operation == nil || o.Journal == nil || o.Plan == nil || o.API == nil || o.Now == nil {
		return nil, errors.New("page: Look, Operation, Journal, Plan, API and Now are all needed")
	}
	if o.Fresh <= 0 {
		o.Fresh = time.Second
	}
	s := &server{Options: o, files: map[string]asset{}}
	sum := sha256.New()
	for name, kind := range map[string]string{"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"} {
		body, err := assets.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s.files[Base+name] = asset{kind, body}
	}
	for _, name := range []string{"page.css", "page.js"} {
		sum.Write(s.files[Base+name].body)
	}
	s.rev = hex.EncodeToString(sum.Sum(nil))[:12]
	text, err := assets.ReadFile("page.html")
	if err != nil {
		return nil, err
	}
	s.tmpl, err = template.New("page").Funcs(functions()).Parse(string(text))
	return s, err
}

// ServeHTTP answers what lies under /api/ and is no part of the API.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if f, ok := s.files[r.URL.Path]; ok {
		h := w.Header()
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", "private, max-age=86400")
		h.Set("Content-Length", strconv.Itoa(len(f.body)))
		_, _ = w.Write(f.body) // the caller is gone when this fails
		return
	}
	if r.URL.Path == strings.TrimSuffix(Base, "/") {
		to := url.URL{Path: Base, RawQuery: r.URL.RawQuery}
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
		return
	}
	view, ok := s.route(r)
	if !ok {
		s.problem(w, r, http.StatusNotFound, "There is nothing at this path", "The page is at "+Base+".")
		return
	}
	if s.Admit != nil {
		if err := s.Admit(r); err != nil {
			status := http.StatusForbidden
			var no *Refused
			if errors.As(err, &no) {
				status = no.Status
			}
			s.problem(w, r, status, "You may not see this page", err.Error())
			return
		}
	}
	view(w, r)
}

// route finds the view of a request by its method, path and query.
func (s *server) route(r *http.Request) (http.HandlerFunc, bool) {
	q := r.URL.Query()
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case r.URL.Path == Base && read:
		switch {
		case q.Get("do") != "":
			return s.getOrder, true
		case q.Get("operation") != "":
			return s.getOperation, true
		case q.Get("act") != "":
			return s.getDrill, true
		case q.Has("ready"):
			return s.getReady, true
		case q.Has("journal"):
			return s.getJournal, true
		case q.Get("group") != "":
			return s.getGroup, true
		}
		return s.getEstate, true
	case r.URL.Path == Base+"plan" && r.Method == http.MethodPost:
		return s.postPlan, true
	case r.URL.Path == Base+"drill" && r.Method == http.MethodPost:
		return s.postDrill, true
	case r.URL.Path == Base+"order" && r.Method == http.MethodPost:
		return s.postOrder, true
	}
	return nil, false
}

// secure sets the headers that every answer has.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policyHeader)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer") // the address may hold a function key
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// screen is what the template is given.
type screen struct {
	Kind    string // which body: estate, group, operation, journal, ready, order, plan, problem
	Title   string
	At      time.Time // of the look
	Now     time.Time
	Rev     string
	Poll    int // seconds between two fetches of the script; 0: none
	AskName bool
	Group   string // the group it is about; "" for none

	Killed    string // what the kill switch says; "" when it is not set
	Old       string // why the data cannot be fresh; "" when it may be
	Estate    *estateView
	View      *groupView
	Operation *operationView
	Journal   *journalView
	Ready     *readyView
	Order     *orderView
	Drill     *drillView
	Problem   *problemView
	Told      string // the order that was just taken; "" for none

	code string // the function key in the address, kept in links
}

// problemView is an answer that is not what was asked for.
type problemView struct {
	Status int
	Title  string
	Detail string
	Fields []string
}

// newScreen makes the part that all screens share.
func (s *server) newScreen(r *http.Request, kind, title string) screen {
	code := r.URL.Query().Get("code")
	if len(code) > 256 {
		code = ""
	}
	sc := screen{Kind: kind, Title: title, Now: s.Now().UTC(), Rev: s.rev, AskName: s.AskName, code: code}
	for _, v := range verbs {
		if r.URL.Query().Get("told") == string(v.name) {
			sc.Told = v.label
		}
	}
	if word := toldDrill(r.URL.Query().Get("told")); word != "" {
		sc.Told = word
	}
	return sc
}

// Link returns a link to a view, with names and values in turn. The function key of
// the address is kept: the host asks for it each time.
func (s screen) Link(pairs ...string) string { return s.at("./", pairs) }

// Post returns the target of a form.
func (s screen) Post(path string) string { return s.at(path, nil) }

// File returns the address of one of our files.
func (s screen) File(name string) string { return s.at(name, []string{"v", s.Rev}) }

// Code returns the function key for a form that is sent by GET.
func (s screen) Code() string { return s.code }

func (s screen) at(path string, pairs []string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if s.code != "" {
		q.Set("code", s.code)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// send renders a screen whole, or a plain 500.
func (s *server) send(w http.ResponseWriter, status int, sc screen) {
	var b bytes.Buffer
	if err := s.tmpl.ExecuteTemplate(&b, "page", sc); err != nil {
		status = http.StatusInternalServerError
		b.Reset()
		b.WriteString("<!doctype html><title>failed</title><p>The page could not be written. The API and the command line still work.")
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the caller is gone when this fails
}

// problem renders a refusal or a failure.
func (s *server) problem(w http.ResponseWriter, r *http.Request, status int, title, detail string) {
	sc := s.newScreen(r, "problem", title)
	sc.Problem = &problemView{Status: status, Title: title, Detail: prose(detail)}
	s.send(w, status, sc)
}
