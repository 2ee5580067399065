package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/report"
)

// firstScreen answers the three questions of an estate in trouble.
func firstScreen(t *testing.T, b tab) {
	srv := failoverScene().serve(t)
	b.open(srv.URL + "/api/")
	b.holds("#answers", "Is anything wrong?", "Yes: east", "Where does traffic flow?", "1 of 2 groups over home", "one of which is DOWN", "What is the automation doing?", "1 of 2 writes done")
	b.holds("main", "ashburn is down", "flaps", "2 of 2 needed observers", "reused in", "65 % of checks fail", "signal", "confirm", "▶ now")
	if top := eval[float64](b, `document.querySelector("#answers").getBoundingClientRect().bottom`); top > 450 {
		t.Errorf("the answers end %.0f px down, want them on the first screen", top)
	}
	if n := eval[int](b, `document.querySelectorAll("svg.pic .conn.carries").length`); n == 0 {
		t.Error("the picture shows nothing that carries")
	}
	b.shot("first-light")
	b.dark()
	b.shot("first-dark")
	b.open(srv.URL + "/api/?group=east")
	b.shot("group-dark")
}

// calmScreen says that nothing is wrong.
func calmScreen(t *testing.T, b tab) {
	srv := calmScene().serve(t)
	b.open(srv.URL + "/api/")
	b.holds("#answers", "No. All 2 groups are well", "2 of 2 groups over home", "Nothing; it watches")
	b.shot("calm-light")
}

// giveOrder walks an order through: form, plan, typed name, API; and one that is
// refused.
func giveOrder(t *testing.T, b tab) {
	sc := plannedScene()
	srv := sc.serve(t)
	b.open(srv.URL + "/api/?group=east&code=k3y")
	b.do("press fail over", chromedp.Click(`#acts a`), chromedp.WaitVisible(`form.order`))
	b.do("ask for the plan", chromedp.SendKeys(`#reason`, "loss on ashburn"), chromedp.Click(`form.order button`), chromedp.WaitVisible(`#plan`))
	b.holds("#plan", "Failover ashburn → chicago", "1 write", "p-aa11223344556677", "east-gw1", "100 → 205")
	b.shot("plan-light")
	if !eval[bool](b, `document.querySelector("button.go").disabled`) {
		t.Error("the order can be given before the name of the group is typed")
	}
	b.do("type a wrong name", chromedp.SendKeys(`#name`, "eas"))
	if !eval[bool](b, `document.querySelector("button.go").disabled`) {
		t.Error("half of the name is enough")
	}
	b.do("type the name", chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#name`, "t"), chromedp.Click(`button.go`), chromedp.WaitVisible(`#told`))
	b.holds("#told", "Fail over: your order was taken")
	orders := sc.taken()
	if len(orders) != 1 || orders[0].path != "/api/v1/groups/east/failover" || orders[0].user != "dana" || orders[0].key == "" || orders[0].body["reason"] != "loss on ashburn" {
		t.Errorf("the API got %+v, want one failover of east by dana with a key and the reason", orders)
	}
	if at := eval[string](b, `location.search`); !strings.Contains(at, "code=k3y") {
		t.Errorf("the key was lost on the way: the host would refuse the next page (%s)", at)
	}

	sc.change(func() { sc.refuse = true })
	b.open(srv.URL + "/api/?do=pause&group=east")
	b.do("order", chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#name`, "east"), chromedp.Click(`button.go`), chromedp.WaitVisible(`.alarm`))
	b.holds(".alarm", "A guard refused this", "chicago is <b>not</b> proven", "to: another circuit")
}

// changedPlan does not order what was not read.
func changedPlan(t *testing.T, b tab) {
	sc := plannedScene()
	srv := sc.serve(t)
	b.open(srv.URL + "/api/?do=failover&group=east")
	b.do("ask for the plan", chromedp.Click(`form.order button`), chromedp.WaitVisible(`#plan`))
	sc.change(func() { sc.plan.Plan.ID, sc.plan.Plan.Steps[0].To.Weight = "p-other", 999 })
	b.do("order", chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#name`, "east"), chromedp.Click(`button.go`), chromedp.WaitVisible(`.alarm`))
	b.holds(".alarm", "Nothing was ordered", "plan has changed")
	b.holds("#plan", "100 → 999")
	if n := len(sc.taken()); n != 0 {
		t.Errorf("%d orders reached the API, want none", n)
	}
}

// plannedMove orders a move for a time to come, sees it on both screens, and cancels
// it.
func plannedMove(t *testing.T, b tab) {
	sc := plannedScene()
	srv := sc.serve(t)
	b.open(srv.URL + "/api/?do=switchover&group=east&to=dallas&at=2026-01-12T05:00")
	b.do("plan", chromedp.SetValue(`#reason`, "fibre work"), chromedp.Click(`form.order button`), chromedp.WaitVisible(`#plan`))
	b.holds("form[data-name]", "Not now but", "it is made anew then", "Switch over east then")
	b.do("order", chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#name`, "east"), chromedp.Click(`button.go`), chromedp.WaitVisible(`#told`))
	if o := sc.taken(); len(o) != 1 || o[0].path != "/api/v1/groups/east/switchover" || o[0].body["not_before"] != "2026-01-12T05:00:00Z" || o[0].body["to"] != "dallas" {
		t.Fatalf("the API got %+v, want one switchover to dallas at 5", o)
	}
	sc.change(func() {
		sc.look.Status.Groups[0].Scheduled = []report.Scheduled{{ID: "s-1", Verb: events.OrderSwitchover, To: "dallas", By: "dana", Reason: "fibre <b>work", At: at, NotBefore: at.Add(2 * time.Hour)}}
	})
	b.open(srv.URL + "/api/")
	b.holds("#answers", "No. All 2 groups are well", "east: planned: switchover to dallas")
	b.open(srv.URL + "/api/?group=east")
	b.holds("#summary", "switchover to dallas", "ordered by dana: fibre <b>work", "Cancel it")
	b.do("cancel", chromedp.Click(`#summary a`), chromedp.WaitVisible(`form.order`))
	b.holds("main", "switchover to dallas", "Nothing is written")
	b.do("order", chromedp.SendKeys(`#user`, "ben"), chromedp.SendKeys(`#name`, "east"), chromedp.Click(`button.go`), chromedp.WaitVisible(`#told`))
	if o := sc.taken(); len(o) != 2 || o[1].path != "/api/v1/groups/east/cancel" || o[1].body["operation"] != "s-1" {
		t.Errorf("the API got %+v, want the planned move to be cancelled", o)
	}
	b.open(srv.URL + "/api/?do=switchover&group=east")
	b.do("a wrong time", chromedp.Evaluate[chromedp.Void](`document.querySelector("#at").type = "text"; document.querySelector("#at").value = "soon"; undefined`), chromedp.Click(`form.order button`), chromedp.WaitVisible(`#plan`),
		chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#name`, "east"), chromedp.Click(`button.go`), chromedp.WaitVisible(`.alarm`))
	b.holds(".alarm", "the time cannot be read")
	if n := len(sc.taken()); n != 2 {
		t.Errorf("%d orders reached the API, want 2", n)
	}
}

// withoutScript orders and reads with JavaScript off.
func withoutScript(t *testing.T, b tab) {
	sc := plannedScene()
	srv := sc.serve(t)
	b.plain()
	b.open(srv.URL + "/api/?code=k3y")
	b.holds("header", "does not update by itself")
	b.holds("#answers", "No. All 2 groups are well")
	b.do("go to the group", chromedp.Click(`#groups a`), chromedp.WaitVisible(`#acts`))
	b.do("fail over", chromedp.Click(`#acts a`), chromedp.WaitVisible(`form.order`), chromedp.Click(`form.order button`), chromedp.WaitVisible(`#plan`))
	b.do("order with a wrong name", chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#name`, "west"), chromedp.Click(`button.go`), chromedp.WaitVisible(`.alarm`))
	b.holds(".alarm", "Nothing was ordered", "Type east")
	if n := len(sc.taken()); n != 0 {
		t.Fatalf("%d orders reached the API with a wrong name", n)
	}
	b.do("order", chromedp.SetValue(`#name`, "east"), chromedp.Click(`button.go`), chromedp.WaitVisible(`#told`))
	if n := len(sc.taken()); n != 1 {
		t.Errorf("%d orders reached the API, want 1", n)
	}
}

// updates shows news without a new load, keeps what a person has opened, and
// tells the key in a header only.
func updates(t *testing.T, b tab) {
	sc := failoverScene()
	srv := sc.serve(t)
	b.open(srv.URL + "/api/?operation=op-0011223344556677&code=k3y")
	b.do("open a detail", chromedp.Click(`details summary`))
	eval[bool](b, `window.same = true`)
	sc.change(func() {
		g := &sc.look.Status.Groups[0]
		op := *g.Operation
		op.Steps = append([]report.Step{}, op.Steps...)
		op.Steps[1].Phase, op.Steps[1].DoneAt = executor.Done, at
		g.Operation = &op
	})
	b.until(`document.querySelector("progress") && document.querySelector("progress").value === 2`)
	if !eval[bool](b, `window.same === true && document.querySelector("details").open`) {
		t.Error("the update loaded the page anew or closed what was open")
	}
	if n := eval[int](b, `[...document.querySelectorAll("main a")].filter(a => !a.href.includes("code=k3y")).length`); n != 0 {
		t.Errorf("%d links have lost the key after the update", n)
	}
	if n := eval[int](b, `performance.getEntriesByType("resource").filter(e => e.initiatorType === "fetch" && e.name.includes("k3y")).length`); n != 0 {
		t.Errorf("%d fetches had the key in their address", n)
	}
}

// staleServer says in large letters that the server is gone, and takes it back.
func staleServer(t *testing.T, b tab) {
	sc := failoverScene()
	h, err := New(sc.options())
	if err != nil {
		t.Fatal(err)
	}
	var down atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	b.open(srv.URL + "/api/?operation=op-0011223344556677")
	down.Store(true)
	b.do("wait for the warning", chromedp.WaitVisible(`#stale`))
	b.holds("#stale", "STALE", "cannot be reached", "may be wrong")
	if size := eval[string](b, `getComputedStyle(document.querySelector("#stale")).fontSize`); size < "24px" {
		t.Errorf("the warning is written in %s", size)
	}
	b.shot("stale-light")
	down.Store(false)
	b.until(`document.querySelector("#stale").hidden`)
}

// oldRecord says in large letters that nobody reads the weights any more.
func oldRecord(t *testing.T, b tab) {
	sc := calmScene()
	sc.now = at.Add(20 * time.Minute)
	srv := sc.serve(t)
	b.open(srv.URL + "/api/")
	b.holds("#alarms", "OLD DATA", "The automation does not run")
	b.holds("#answers .big", "Not known: the data is old")
}

// phone needs no sideways scrolling at 360 px and has buttons for thumbs.
func phone(t *testing.T, b tab) {
	sc := plannedScene()
	trouble := failoverScene()
	sc.look, sc.journal = trouble.look, trouble.journal
	srv := sc.serve(t)
	b.size(360, 740)
	for name, q := range map[string]string{"phone-first": "", "phone-group": "?group=east", "phone-operation": "?operation=op-0011223344556677", "phone-journal": "?journal=group.east", "phone-order": "?do=failover&group=west"} {
		b.open(srv.URL + "/api/" + q)
		b.narrow(name)
		if small := eval[int](b, `[...document.querySelectorAll(".button,button,input:not([type=checkbox]):not([type=hidden]),select")].filter(e => e.offsetHeight < 44).length`); small > 0 {
			t.Errorf("%s: %d buttons or fields are lower than 44 px", name, small)
		}
		b.shot(name)
	}
	b.do("plan", chromedp.Navigate(srv.URL+"/api/?do=failover&group=west"), chromedp.Click(`form.order button`), chromedp.WaitVisible(`#plan`))
	b.narrow("plan")
	b.shot("phone-plan")
}

// manyGroups paints 200 groups with 2,000 circuits in a page that stays small.
// BenchmarkFirstScreen measures how fast.
func manyGroups(t *testing.T, b tab) {
	srv := bigScene().serve(t)
	b.open("about:blank")
	b.open(srv.URL + "/api/")
	b.until(`performance.getEntriesByName("first-contentful-paint").length > 0`)
	paint := eval[float64](b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`)
	nodes := eval[int](b, `document.querySelectorAll("*").length`)
	t.Logf("first paint after %.0f ms, %d elements", paint, nodes) // what it costs is bounded below by bytes and elements: a busy machine paints late
	if nodes > 3000 {
		t.Errorf("the page has %d elements, want at most 3000 however large the estate is", nodes)
	}
	b.holds("#answers", "group-066", "200 groups")
	if got := eval[string](b, `document.querySelector("#groups tbody th").textContent`); got != "group-066" {
		t.Errorf("the first group of the list is %q, want a troubled one", got)
	}
	size := eval[int](b, `performance.getEntriesByType("navigation")[0].decodedBodySize + performance.getEntriesByType("resource").reduce((n, e) => n + e.decodedBodySize, 0)`)
	t.Logf("page, style and script: %d bytes", size)
	if size > 100<<10 {
		t.Errorf("the page weighs %d bytes, want at most %d", size, 100<<10)
	}
	b.shot("big-light")
	b.do("find", chromedp.SendKeys(`#q`, "circuit-123-4\r"), chromedp.WaitVisible(`#groups a[href*="group-123"]`))
	b.holds("#groups", "1 of 200", "group-123")
}

// keyboard reaches the content and the orders without a mouse, and names what it
// reaches.
func keyboard(t *testing.T, b tab) {
	srv := failoverScene().serve(t)
	b.open(srv.URL + "/api/?group=east")
	b.do("tab once", chromedp.KeyEvent(kb.Tab))
	if got := eval[string](b, `document.activeElement.textContent`); got != "Skip to the content" {
		t.Errorf("the first stop is %q, want the way past the head", got)
	}
	for _, want := range []string{"erfailover", "Fail over …"} {
		b.do("tab", chromedp.KeyEvent(kb.Tab))
		if got := eval[string](b, `document.activeElement.textContent`); got != want {
			t.Errorf("the next stop is %q, want %q", got, want)
		}
	}
	b.do("press enter", chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`form.order`))
	if n := eval[int](b, `[...document.querySelectorAll("input:not([type=hidden]),select")].filter(e => !e.labels.length).length`); n > 0 {
		t.Errorf("%d fields have no label", n)
	}
	b.open(srv.URL + "/api/")
	if n := eval[int](b, `[...document.querySelectorAll("svg")].filter(e => !e.getAttribute("aria-label") && e.getAttribute("aria-hidden") !== "true").length`); n > 0 {
		t.Errorf("%d pictures say nothing to a screen reader", n)
	}
	if got := eval[string](b, `document.querySelector("svg.pic").getAttribute("aria-label")`); !strings.Contains(got, "raffic of east flows over ashburn, chicago (home is ashburn), one of which is DOWN") {
		t.Errorf("the picture says %q", got)
	}
	if n := eval[int](b, `document.querySelectorAll("[aria-live=polite]").length`); n != 1 {
		t.Errorf("%d live regions, want the answers alone", n)
	}
	ids := eval[[]string](b, `(l => l.filter((x, i) => l.indexOf(x) !== i))([...document.querySelectorAll("[id]")].map(e => e.id))`)
	if len(ids) > 0 {
		t.Errorf("ids that are there twice: %v", ids)
	}
}

// killSwitch stops everything: the word is typed, and the page shows it in red.
func killSwitch(t *testing.T, b tab) {
	sc := calmScene()
	srv := sc.serve(t)
	b.open(srv.URL + "/api/")
	b.do("stop", chromedp.Click(`#stop a.danger`), chromedp.WaitVisible(`form.order`),
		chromedp.SendKeys(`#user`, "dana"), chromedp.SendKeys(`#why`, "strange writes"), chromedp.SendKeys(`#name`, "stop"), chromedp.Click(`button.go`), chromedp.WaitVisible(`#told`))
	if o := sc.taken(); len(o) != 1 || o[0].path != "/api/v1/kill" || o[0].body["reason"] != "strange writes" {
		t.Errorf("the API got %+v, want one kill with its reason", o)
	}
	sc.change(func() { sc.look.Status.Killed = &policy.Pause{By: "dana", Reason: "strange writes", At: at} })
	b.open(srv.URL + "/api/")
	b.holds("#alarms", "KILL SWITCH", "dana", "strange writes")
	b.holds("#stop", "Lift the kill switch")
	b.holds("#answers .big", "Look: the kill switch is set")
	b.shot("killed-light")
}
