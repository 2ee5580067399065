package page

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"erfailover/failover/report"
)

// rehearsed is a calm estate with its readiness, its drills and its past decisions.
func rehearsed(sc *scene) Options {
	o := sc.options()
	high := 87
	o.Ready = func(context.Context, func(string) bool) (report.Readiness, error) {
		return report.Readiness{Ready: true, Score: &high, Groups: []report.GroupReadiness{{Group: "east", Ready: true, Score: &high,
			Headroom:   &report.Headroom{Standby: "chicago", Known: true, Bits: 640_000_000, Room: 1_000_000_000, Hour: at.Add(-time.Hour)},
			Deductions: []report.Deduction{{Points: 8, Text: "traffic was never proven over Location 2", Lift: "drill it: erfailover drill east"}}}}}, nil
	}
	o.Drills = func(context.Context) ([]Drill, error) {
		return []Drill{{Name: "monthly-east", Group: "east", Kind: "move", Says: "announced for 2026-03-01 02:00:00Z", Next: at.Add(time.Hour), Last: "passed, recovery 46s", LastAt: at.Add(-time.Hour), Good: true},
			{Name: "site-west", Group: "west", Kind: "disconnect", Says: "traffic is on the standby", Running: true}}, nil
	}
	o.Graded = func(context.Context, func(string) bool) ([]Graded, error) {
		return []Graded{{Group: "east", Mode: "mode observe", Counts: "2 right, 1 harmful", Newest: []GradedCase{{Grade: "harmful", Says: "<b>recovered</b> alone in 40 s", At: at.Add(-time.Hour)}}, Regret: "hold-down is regretted most"}}, nil
	}
	return o
}

// orderDrill runs a drill, stops one and evacuates a group, on a phone.
func orderDrill(t *testing.T, b tab) {
	sc := plannedScene()
	h, err := New(rehearsed(sc))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	b.size(360, 740)
	b.open(srv.URL + "/api/?ready=1&code=k3y")
	b.holds("main", "640 of 1000 Mbit/s", "2 right, 1 harmful", "<b>recovered</b> alone in 40 s", "hold-down is regretted most", "Run the drill", "Call the next start off", "Stop the drill")
	b.narrow("ready")
	b.shot("phone-ready")
	b.do("press run", chromedp.Click(`#drills a.button`), chromedp.WaitVisible(`form.order`))
	b.holds("main", "Every check is asked first", "announced for 2026-03-01")
	b.narrow("drill")
	if !eval[bool](b, `document.querySelector("button.go").disabled`) {
		t.Error("the drill can be run before its name is typed")
	}
	b.do("fill in", chromedp.Click(`input[name=fast]`), chromedp.SendKeys(`#why`, "before the audit"), chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#name`, "monthly-east"))
	b.shot("phone-drill")
	b.do("run", chromedp.Click(`button.go`), chromedp.WaitVisible(`#told`))
	b.holds("#told", "Run the drill: your order was taken")
	o := sc.taken()
	if len(o) != 1 || o[0].path != "/api/v1/drills/monthly-east/run" || o[0].user != "dana" || o[0].key == "" || o[0].body["accelerate"] != true || o[0].body["reason"] != "before the audit" {
		t.Fatalf("the API got %+v, want one run of monthly-east", o)
	}
	if at := eval[string](b, `location.search`); !strings.Contains(at, "code=k3y") {
		t.Errorf("the key was lost on the way (%s)", at)
	}
	sc.change(func() { sc.refuse = true })
	b.open(srv.URL + "/api/?act=stop&drill=site-west")
	b.do("stop", chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#name`, "site-west"), chromedp.Click(`button.go`), chromedp.WaitVisible(`.alarm`))
	b.holds(".alarm", "A guard refused this")
	sc.change(func() { sc.refuse = false })
	b.open(srv.URL + "/api/?do=evacuate&group=east")
	b.do("plan", chromedp.Click(`form.order button`), chromedp.WaitVisible(`#plan`))
	b.narrow("evacuate")
	b.shot("phone-evacuate")
	from := eval[string](b, `document.querySelector("#from").value`)
	b.do("evacuate", chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#name`, "east"), chromedp.Click(`button.go`), chromedp.WaitVisible(`#told`))
	if o := sc.taken(); from == "" || len(o) != 3 || o[1].path != "/api/v1/drills/site-west/stop" || o[2].path != "/api/v1/groups/east/evacuate" || o[2].body["from"] != from {
		t.Errorf("the API got %+v, want a stop and an evacuation of %q", o, from)
	}
}

// TestDrillForm: what is not typed right is not ordered, and what may not be seen does
// not exist.
func TestDrillForm(t *testing.T) {
	sc := plannedScene()
	o := rehearsed(sc)
	o.Sees = func(*http.Request) func(string) bool { return func(g string) bool { return g == "east" } }
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	post := func(v url.Values) (int, string) {
		r := httptest.NewRequest("POST", "/api/drill", strings.NewReader(v.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	good := url.Values{"act": {"run"}, "drill": {"monthly-east"}, "name": {"monthly-east"}, "user": {"dana"}}
	for field, value := range map[string]string{"name": "monthly", "user": "", "act": "explode", "drill": "site-west"} {
		v := url.Values{}
		for k := range good {
			v.Set(k, good.Get(k))
		}
		v.Set(field, value)
		if code, body := post(v); code < 400 || strings.Contains(body, "site-west") {
			t.Errorf("%s=%q: got %d", field, value, code)
		}
	}
	if n := len(sc.taken()); n != 0 {
		t.Errorf("%d orders reached the API", n)
	}
	if code, _ := post(good); code != http.StatusSeeOther || len(sc.taken()) != 1 {
		t.Errorf("got %d, %d orders", code, len(sc.taken()))
	}
}
