package page

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// maxForm bounds a form, in bytes.
const maxForm = 64 << 10

// verb is one thing that a person may order.
type verb struct {
	name   events.Verb
	label  string // on the button
	does   string // one sentence, before anything is sent
	moves  bool   // moves traffic: it is planned first
	decide bool   // is about the operation that waits
	word   string // of the estate as a whole: this is typed instead of a group's name
	later  bool   // may be ordered for a time to come
}

// verbs are the orders of a group.
var verbs = []verb{
	{events.OrderFailover, "Fail over", "Moves the group's traffic off its circuit because that circuit is bad. You may override guards by name.", true, false, "", false},
	{events.OrderSwitchover, "Switch over", "Moves the group's traffic as planned work. Every guard applies.", true, false, "", true},
	{events.OrderEvacuate, "Evacuate", "Moves the group's traffic off everything at one peering location, or of one provider. Every guard applies.", true, false, "", true},
	{events.OrderFailback, "Fail back", "Moves the group's traffic back to its home.", true, false, "", true},
	{events.OrderApprove, "Approve", "Lets the waiting operation run its writes.", false, true, "", false},
	{events.OrderCancel, "Cancel", "Ends what waits. Nothing is written.", false, true, "", false},
	{events.OrderPause, "Pause", "Stops the automation's own decisions for this group. A running operation goes on, and your own orders still count.", false, false, "", false},
	{events.OrderResume, "Resume", "Lets the automation decide for this group again.", false, false, "", false},
	{events.OrderKill, "Stop everything", "Sets the kill switch: nothing is written anywhere, in no group, until a person lifts it. Azure's own failover goes on.", false, false, "stop", false},
	{events.OrderUnkill, "Lift the kill switch", "Lets the automation and your orders write again.", false, false, "lift", false},
	{events.OrderAcknowledge, "Acknowledge", "Clears the cool-down of the moves until now: the automation may move again at once.", false, false, "", false},
}

// verbLink is a button of a group.
type verbLink struct {
	Name, Label string
	First       bool // what a person is waited for
}

// verbsFor returns the orders that make sense for a group as it is.
func verbsFor(g report.GroupStatus, now time.Time) []verbLink {
	waits := g.Operation != nil && g.Operation.Status == record.AwaitingApproval
	var out, first []verbLink
	for _, v := range verbs {
		switch {
		case v.word != "", v.decide && !waits, v.name == events.OrderResume && !g.Paused.Holds(now), v.name == events.OrderPause && g.Paused.Holds(now):
			continue
		}
		if v.decide {
			first = append(first, verbLink{string(v.name), v.label, v.name == events.OrderApprove})
			continue
		}
		out = append(out, verbLink{string(v.name), v.label, false})
	}
	return append(first, out...)
}

// orderView is an order on its way: the form, then the plan.
type orderView struct {
	Verb, Label, Does string
	Moves             bool
	Group             string // cleaned
	Key               string // the group, for the form; "" for the whole estate
	Must              string // what has to be typed
	Circuits          []choice
	Places            []choice      // evacuate: what may be left
	Guards            []findingView // that stand in the way and may be overridden by name
	Asked             *asked
	Running           *operationView // that is approved or cancelled
	Timed             *scheduledView // that is cancelled
	Later             bool           // a time to come may be named
	At                time.Time      // that was named
	Plan              *planView
	Problem           *problemView
	Changed           bool // the plan is not the one that was read
}

// choice is a circuit that may be named as target.
type choice struct {
	Value, Text string
	Chosen      bool
}

// planView is a plan, ready to be shown.
type planView struct {
	ID, Kind, Move, Refused string
	Hold                    bool
	Steps                   []stepView
	Reasons                 []findingView
	Others                  []candidateView
	Overridden              string
}

// asked is what the person has filled in.
type asked struct {
	To, From, Reason, Hours, Operation, Plan, Name, User, Key, At string
	Overrides                                                     []string
	MakeHome                                                      bool
}

// getOrder shows the form of an order.
func (s *server) getOrder(w http.ResponseWriter, r *http.Request) {
	s.order(w, r, r.URL.Query(), func(sc *screen, _ verb) int { return http.StatusOK })
}

// postPlan shows what an order would do.
func (s *server) postPlan(w http.ResponseWriter, r *http.Request) {
	s.form(w, r, func(sc *screen, v verb) int { return s.plan(r, sc, v) })
}

// postOrder sends an order to the API: when the group's name was typed, and when the
// plan is still the one that was read.
func (s *server) postOrder(w http.ResponseWriter, r *http.Request) {
	s.form(w, r, func(sc *screen, v verb) int {
		o := sc.Order
		if o.Asked.Name != o.Must {
			o.Problem = &problemView{Status: http.StatusUnprocessableEntity, Title: "Nothing was ordered: what you typed is not right", Detail: "Type " + label(o.Must) + ", in the same letters."}
		} else if _, ok := o.Asked.notBefore(); !ok {
			o.Problem = &problemView{Status: http.StatusUnprocessableEntity, Title: "Nothing was ordered: the time cannot be read", Detail: "Write it like 2026-01-31T02:00, in UTC."}
		} else if s.AskName && o.Asked.User == "" {
			o.Problem = &problemView{Status: http.StatusUnprocessableEntity, Title: "Nothing was ordered: say who you are", Detail: "The journal keeps the name of whoever orders."}
		}
		if o.Problem == nil && v.moves && o.At.IsZero() && !s.planStands(r, sc, v) {
			if o.Problem != nil {
				return o.Problem.Status
			}
			o.Changed = true
			return http.StatusConflict
		}
		if o.Problem != nil {
			s.plan(r, sc, v)
			return http.StatusUnprocessableEntity
		}
		return s.sendOrder(w, r, sc, v)
	})
}

// planStands plans again and says whether the plan is the one that the person has
// read. Where none could be shown and none can be made now, the order may go: the
// engine asks the same guards.
func (s *server) planStands(r *http.Request, sc *screen, v verb) bool {
	o := sc.Order
	seen := o.Asked.Plan
	s.plan(r, sc, v)
	if o.Plan == nil && seen == "" {
		o.Problem = nil
		return true
	}
	return o.Plan != nil && o.Plan.ID == seen
}

// form reads a posted form, then goes on as order does.
func (s *server) form(w http.ResponseWriter, r *http.Request, then func(*screen, verb) int) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, http.StatusBadRequest, "The form cannot be read", "Go back and send it again.")
		return
	}
	s.order(w, r, r.PostForm, then)
}

// order makes the screen of an order, lets then go on with it, and sends it unless
// then has answered already, which it tells by 0.
func (s *server) order(w http.ResponseWriter, r *http.Request, q url.Values, then func(*screen, verb) int) {
	look, _, _, err := s.look(r)
	if err != nil {
		s.failed(w, r, "The state of the estate cannot be read", err)
		return
	}
	g, known := groupOf(look.Status, q.Get("group"))
	i := slices.IndexFunc(verbs, func(v verb) bool { return string(v.name) == q.Get("do") })
	if i < 0 || known == (verbs[i].word != "") {
		s.problem(w, r, http.StatusNotFound, "There is no such order or group", "Start again from the first screen.")
		return
	}
	v := verbs[i]
	title := v.label
	if known {
		title += ": " + label(g.Name)
	}
	sc := s.newScreen(r, "order", title)
	s.about(&sc, look)
	if known {
		sc.Group = label(g.Name)
	}
	sc.Order = newOrder(v, g, q, sc.Now)
	if v.name == events.OrderEvacuate {
		sc.Order.places(look.Estate, g)
	} else {
		sc.Order.Asked.From = ""
	}
	if status := then(&sc, v); status != 0 {
		s.send(w, status, sc)
	}
}

func newOrder(v verb, g report.GroupStatus, q url.Values, now time.Time) *orderView {
	o := &orderView{Verb: string(v.name), Label: v.label, Does: v.does, Moves: v.moves, Later: v.later, Group: label(g.Name), Key: g.Name, Must: g.Name}
	if v.word != "" {
		o.Group, o.Must = "the whole estate", v.word
	}
	o.Asked = &asked{
		To: q.Get("to"), From: q.Get("from"), Reason: strings.TrimSpace(q.Get("reason")), Hours: q.Get("hours"), Operation: q.Get("operation"), Plan: q.Get("plan"),
		Name: strings.TrimSpace(q.Get("name")), User: strings.TrimSpace(q.Get("user")), Key: q.Get("key"), At: q.Get("at"), Overrides: q["override"], MakeHome: q.Get("home") != "",
	}
	if o.Asked.Key == "" {
		o.Asked.Key = "page-" + rand.Text()
	}
	if v.later {
		o.At, _ = o.Asked.notBefore() // one that cannot be read is told when it is ordered
	}
	if v.decide {
		o.Timed = scheduledOf(g, o.Asked.Operation)
	}
	for _, b := range g.Circuits[:min(len(g.Circuits), 100)] {
		text := label(b.Circuit) + " (" + word(b.State)
		if slices.Contains(g.Active, b.Circuit) {
			text += ", carries now"
		}
		if b.State == health.Unknown || b.State == "" {
			text += ": no fresh evidence"
		}
		o.Circuits = append(o.Circuits, choice{b.Circuit, text + ")", b.Circuit == o.Asked.To})
	}
	if v.decide && g.Operation != nil && o.Timed == nil {
		op := newOperation(*g.Operation, now)
		o.Running = &op
		if o.Asked.Operation == "" {
			o.Asked.Operation, o.Asked.Plan = g.Operation.ID, g.Operation.Plan
		}
	}
	return o
}

// places lists what a group may leave: the locations and the providers of its circuits,
// those that carry its traffic first. The first is meant when none is named.
func (o *orderView) places(est topology.Estate, g report.GroupStatus) {
	var names []string
	add := func(circuit string) {
		c, _ := est.Circuit(circuit)
		for _, n := range []string{c.Location, c.Provider} {
			if n != "" && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	for _, c := range g.Active {
		add(c)
	}
	for _, b := range g.Circuits[:min(len(g.Circuits), 100)] {
		add(b.Circuit)
	}
	if o.Asked.From == "" && len(names) > 0 {
		o.Asked.From = names[0]
	}
	for _, n := range names {
		o.Places = append(o.Places, choice{n, label(n), n == o.Asked.From})
	}
}

// plan asks what the order would do and puts the answer, or the problem, on the
// screen.
func (s *server) plan(r *http.Request, sc *screen, v verb) int {
	o := sc.Order
	if !v.moves {
		return http.StatusOK
	}
	p, err := s.Options.Plan(r.Context(), o.Asked.order(v, o.Key))
	if err != nil && o.Problem != nil {
		return o.Problem.Status
	}
	if err != nil {
		hint := fault.HintOf(err)
		if hint == "" {
			hint = "You may try again, or order without having seen a plan: the same guards apply."
		}
		o.Problem = &problemView{Status: http.StatusServiceUnavailable, Title: "The plan cannot be made now", Detail: prose(hint)}
		o.Asked.Plan = ""
		return o.Problem.Status
	}
	pv := &planView{
		ID: p.Plan.ID, Kind: label(string(p.Verdict.Kind)), Move: move(p.Verdict.From, p.Verdict.To), Hold: p.Verdict.Action == policy.Hold,
		Refused: prose(p.Refused), Reasons: findings(p.Verdict.Reasons),
	}
	if pv.Hold && v.name != events.OrderSwitchover {
		o.Guards = guards(p.Verdict)
	}
	for _, c := range p.Verdict.Overridden {
		pv.Overridden = strings.TrimPrefix(pv.Overridden+", "+label(string(c)), ", ")
	}
	for _, c := range p.Verdict.Candidates {
		pv.Others = append(pv.Others, candidateView{Circuit: label(c.Circuit), Chosen: c.Chosen, Against: findings(c.Against)})
	}
	for _, st := range p.Plan.Steps {
		pv.Steps = append(pv.Steps, stepView{Gateway: short(st.Gateway), Circuit: label(st.Circuit), Connection: short(st.Connection), From: st.From.Weight, To: st.To.Weight})
	}
	o.Plan, o.Asked.Plan = pv, pv.ID
	return http.StatusOK
}

// guards returns what stands in the way and may be overridden by name, each code
// once.
func guards(v policy.Verdict) []findingView {
	list := slices.Clone(v.Reasons)
	for _, c := range v.Candidates {
		list = append(list, c.Against...)
	}
	var out []findingView
	for _, f := range findings(list) {
		if policy.Overridable(policy.Reason(f.Code)) && !slices.ContainsFunc(out, func(o findingView) bool { return o.Code == f.Code }) {
			out = append(out, f)
		}
	}
	return out
}

// order makes the engine's form of what was asked.
func (a *asked) order(v verb, group string) events.Order {
	by := a.User
	if by == "" {
		by = "you"
	}
	return events.Order{Verb: v.name, Group: group, To: a.To, From: a.From, MakeHome: a.MakeHome && v.name == events.OrderSwitchover, By: by, Reason: a.Reason, Overrides: a.Overrides}
}

// orderBody is what the API takes. A field that a verb does not take stays empty.
type orderBody struct {
	To        string    `json:"to,omitzero"`
	From      string    `json:"from,omitzero"`
	MakeHome  bool      `json:"make_home,omitzero"`
	Operation string    `json:"operation,omitzero"`
	Plan      string    `json:"plan,omitzero"`
	Reason    string    `json:"reason,omitzero"`
	Overrides []string  `json:"overrides,omitempty"`
	Until     time.Time `json:"until,omitzero"`
	NotBefore time.Time `json:"not_before,omitzero"`
}

// sendOrder posts the order. What the API refuses is shown on the same screen.
func (s *server) sendOrder(w http.ResponseWriter, r *http.Request, sc *screen, v verb) int {
	o := sc.Order
	body := orderBody{Reason: o.Asked.Reason}
	switch {
	case v.moves:
		body.To, body.From, body.Overrides = o.Asked.To, o.Asked.From, o.Asked.Overrides
		body.MakeHome = o.Asked.MakeHome && v.name == events.OrderSwitchover
		body.NotBefore = o.At
	case v.decide:
		body.Operation = o.Asked.Operation
		if v.name == events.OrderApprove {
			body.Plan = o.Asked.Plan
		}
	case v.name == events.OrderPause:
		if d, err := time.ParseDuration(o.Asked.Hours); err == nil && d > 0 {
			body.Until = sc.Now.Add(d)
		}
	}
	path := Base + "v1/" + string(v.name)
	if o.Key != "" {
		path = Base + "v1/groups/" + url.PathEscape(o.Key) + "/" + string(v.name)
	}
	rep, err := s.call(r.Context(), r, path, o.Asked.User, o.Asked.Key, body)
	if err != nil {
		o.Problem = &problemView{Status: http.StatusInternalServerError, Title: "The order could not be written"}
		return o.Problem.Status
	}
	if !rep.ok() {
		o.Problem = rep.problem()
		return rep.status
	}
	s.looks.drop()
	var taken struct {
		Operation string `json:"operation"`
	}
	pairs := []string{"group", o.Key, "told", string(v.name)}
	if json.Unmarshal(rep.body.Bytes(), &taken) == nil && v.moves && o.At.IsZero() && taken.Operation != "" && linkable(taken.Operation) != "" {
		pairs = []string{"operation", taken.Operation, "told", string(v.name)}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", sc.Link(pairs...))
	w.WriteHeader(http.StatusSeeOther)
	return 0
}
