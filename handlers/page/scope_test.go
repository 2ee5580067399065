package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestScope shows each caller what that caller may see, also right after somebody
// else was shown everything, and answers the rest like what does not exist.
func TestScope(t *testing.T) {
	sc := failoverScene()
	o := sc.options()
	o.Sees = func(r *http.Request) func(string) bool {
		if name := r.Header.Get("Sees"); name != "" {
			return func(group string) bool { return group == name }
		}
		return nil
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	get := func(sees, query string) (int, string) {
		r := httptest.NewRequest("GET", "/api/"+query, nil)
		r.Header.Set("Sees", sees)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, q := range []string{"", "?group=east", "?group=west", "?journal=group.east", "?journal=estate", "?do=failover&group=east", "?operation=op-0011223344556677"} {
		if code, body := get("", q); code != 200 || !strings.Contains(body, "east") && q != "?group=west" && q != "?journal=estate" {
			t.Errorf("%s for everybody: got %d", q, code)
		}
		want := http.StatusNotFound
		if q == "" || q == "?group=west" {
			want = http.StatusOK
		}
		if code, body := get("west", q); code != want || strings.Contains(body, "ashburn") || strings.Contains(body, ">east<") {
			t.Errorf("%s for a caller who sees west: got %d, want %d, and nothing of east:\n%s", q, code, want, body)
		}
	}
}
