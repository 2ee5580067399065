package page

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/health"
	"erfailover/failover/report"
)

// shared keeps the newest look for a moment, so that ten open pages cost one read.
type shared struct {
	mu   sync.Mutex
	at   time.Time // by the real clock: an estate's clock may run faster
	look Look
	mark string
}

// get returns a look that is at most fresh old. Requests that come meanwhile wait
// for the one read. A failed read is not kept.
func (c *shared) get(ctx context.Context, fresh time.Duration, read func(context.Context) (Look, error)) (Look, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < fresh {
		return c.look, c.mark, nil
	}
	look, err := read(context.WithoutCancel(ctx))
	if err != nil {
		return Look{}, "", err
	}
	c.look, c.mark, c.at = look, markOf(look.Status), time.Now()
	return c.look, c.mark, nil
}

// look returns what the caller of a request may see of the newest look, and which
// groups those are: nil for everything.
func (s *server) look(r *http.Request) (Look, string, func(string) bool, error) {
	look, mark, err := s.looks.get(r.Context(), s.Fresh, s.Look)
	sees := s.sees(r)
	if err != nil || sees == nil {
		return look, mark, nil, err
	}
	look.Status, look.Estate = report.Narrow(look.Status, look.Estate, sees)
	return look, markOf(look.Status), sees, nil
}

func (s *server) sees(r *http.Request) func(string) bool {
	if s.Sees == nil {
		return nil
	}
	return s.Sees(r)
}

// markOf returns a hash of everything in a status that a reader would call news:
// not its instant, and not penalties, which decay all the time.
func markOf(st report.Status) string {
	st.At = time.Time{}
	st.Groups = slices.Clone(st.Groups)
	for i := range st.Groups {
		g := &st.Groups[i]
		g.Circuits = slices.Clone(g.Circuits)
		for k := range g.Circuits {
			g.Circuits[k] = still(g.Circuits[k])
		}
	}
	// Names that are not UTF-8 are cleaned when they are shown; here they may stay.
	text, err := json.Marshal(st, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return ""
	}
	return sumOf(text)
}

func still(b health.Belief) health.Belief {
	b.Penalty = 0
	return b
}

func sumOf(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:24]
}

// unchanged answers 304 when the caller has this version already. The instant of
// the look is told either way: the data is as old as that.
func unchanged(w http.ResponseWriter, r *http.Request, at time.Time, tag string) bool {
	h := w.Header()
	h.Set("X-Status-At", at.UTC().Format(time.RFC3339Nano))
	if tag == "" {
		return false
	}
	tag = `"` + tag + `"`
	h.Set("ETag", tag)
	if r.Header.Get("If-None-Match") != tag {
		return false
	}
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotModified)
	return true
}

// drop forgets the look: an order has just changed what it shows.
func (c *shared) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Time{}
}
