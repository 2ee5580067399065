package handlers

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzOrder: no body of an order or of a dry run makes the program panic or fail, and
// what it refuses never reaches the engine.
func FuzzOrder(f *testing.F) {
	for _, body := range []string{`{}`, `{"to":"chicago","overrides":["cool-down"],"break":true,"reason":"x"}`, `{"until":"2026-02-30T00:00:00Z"}`,
		`{"to":"a","to":"b"}`, `{"TO":"a"}`, "{\"reason\":\"\\ud800\"}", `[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]`, `{"until":1e999}`, "\x00", `{"verb":"failover"} x`} {
		f.Add("failover", body)
		f.Add("pause", body)
		f.Add("plan", body)
	}
	e := newEstate(f)
	e.limit = Limits{Burst: 1 << 30}
	h, eng := e.instance("a")
	e.healthy(eng)
	f.Fuzz(func(t *testing.T, verb, body string) {
		if strings.Trim(verb, "abcdefghijklmnopqrstuvwxyz") != "" || verb == "" {
			return
		}
		before := e.store.Effects()
		r := httptest.NewRequest("POST", "/api/v1/groups/east/"+verb, strings.NewReader(body))
		r.Host, r.RemoteAddr = "127.0.0.1:7071", "127.0.0.1:5000"
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if saved := e.store.Effects() != before; saved && (w.Code == 400 || w.Code == 404 || w.Code == 415 || verb == "plan") {
			t.Fatalf("%s answered %d and something was saved", verb, w.Code)
		}
	})
}
