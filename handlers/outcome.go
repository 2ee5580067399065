package handlers

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// State says how far an order came.
type State string

const (
	Accepted State = "accepted" // stored; it is judged by the next beat
	Begun    State = "begun"    // its operation runs, or has run
	Waits    State = "waits"    // its operation waits for approval
	Planned  State = "planned"  // it waits for its time; Operation is what cancels it
	Done     State = "done"     // nothing more will happen
	Refused  State = "refused"  // a guard said no; Codes names it
)

// Outcome is what became of an order.
type Outcome struct {
	Order     string      `json:"order"` // its idempotency key
	Group     string      `json:"group,omitzero"`
	Verb      events.Verb `json:"verb,omitzero"`
	State     State       `json:"state"`
	Answer    string      `json:"answer"`               // a sentence
	Operation string      `json:"operation,omitzero"`   // the one that it began, or that it must wait for; of a planned order: what cancels it
	Plan      string      `json:"plan,omitzero"`        // of an operation that runs or waits: an approval names it
	Codes     []string    `json:"codes,omitempty"`      // reason codes of a refusal
	Groups    []Outcome   `json:"groups,omitempty"`     // of an order for the whole estate, by group
	NotBefore time.Time   `json:"not_before,omitzero"`  // of an order that waits for its time
	Receipt   []string    `json:"operations,omitempty"` // operations that run or wait in the groups touched
}

// refusedPrefix begins the engine's answer to an order that a guard refused.
const refusedPrefix = "refused: "

// tries bounds how often an order is handed to the engine anew when many instances
// write the same document.
const tries = 6

// postOrder takes the orders of all verbs and tells their outcome.
func (s *server) postOrder(ctx context.Context, r request) (answer, error) {
	o, err := s.readOrder(r)
	if err != nil {
		return answer{}, err
	}
	if err := s.placeKnown(ctx, r.caller, o.From); err != nil {
		return answer{}, err
	}
	sig, err := orderSignal(o, s.Now().UTC())
	if err != nil {
		return answer{}, err
	}
	leave, err := s.gate.order(ctx, o.Group)
	if err != nil {
		return answer{}, err
	}
	receipt, err := s.give(ctx, sig)
	leave()
	if err != nil {
		s.counts.order(o.Verb, "failed")
		return answer{}, err
	}
	out, err := s.outcome(ctx, o, receipt)
	if err != nil {
		return answer{}, err
	}
	s.counts.order(o.Verb, string(out.State))
	if out.State == Refused {
		return answer{}, &requestError{s.refusal(ctx, o, out)}
	}
	a := answer{status: http.StatusAccepted, body: out}
	switch {
	case out.Operation != "" && out.State != Planned:
		a.location = base + "/operations/" + out.Operation
	case o.Group == "":
		a.location = base + "/status"
	default:
		a.location = base + "/groups/" + o.Group + "/orders/" + url.PathEscape(o.Key)
	}
	if out.State == Done {
		a.status, a.location = http.StatusOK, ""
	}
	return a, nil
}

// placeKnown refuses an evacuation of a place that no circuit is at: a misspelt name
// would move nothing and look like success.
func (s *server) placeKnown(ctx context.Context, c Caller, from string) error {
	if from == "" || s.Views == nil {
		return nil
	}
	e, err := s.Views.estate(ctx)
	if err != nil {
		return err
	}
	var places []string
	_, facts := report.Narrow(report.Status{}, e.Facts, c.sees())
	for _, k := range facts.Circuits {
		for _, name := range []string{k.Location, k.Provider} {
			switch {
			case name == "" || slices.Contains(places, name):
			case strings.EqualFold(name, from):
				return nil
			default:
				places = append(places, name)
			}
		}
	}
	if len(places) == 0 {
		return nil // nothing was discovered yet: the guards will say so
	}
	slices.Sort(places)
	return badField(problemField{"/from", from, "a peering location or provider of the estate: " + strings.Join(places[:min(len(places), 40)], ", ")})
}

// give hands an order to the engine. Instances that write the same document lose to
// each other now and then: the same order is given again, which changes nothing.
func (s *server) give(ctx context.Context, sig events.Signal) (Receipt, error) {
	wait := 20 * time.Millisecond
	for try := 1; ; try++ {
		receipt, err := s.Engine.Handle(ctx, []events.Signal{sig})
		if err == nil || !errors.Is(err, fault.Conflict) || try == tries {
			return receipt, err
		}
		t := time.NewTimer(wait + rand.N(wait))
		select {
		case <-ctx.Done():
			t.Stop()
			return receipt, err
		case <-t.C:
		}
		wait *= 2
	}
}

// outcome reads what became of an order that the engine has taken.
func (s *server) outcome(ctx context.Context, o events.Order, receipt Receipt) (Outcome, error) {
	out := Outcome{Order: o.Key, Group: o.Group, Verb: o.Verb, State: Accepted, Answer: "accepted; it is judged by the next beat", Receipt: receipt.Operations}
	if s.Views == nil {
		if len(receipt.Operations) > 0 {
			out.Operation = receipt.Operations[0]
		}
		return out, nil
	}
	switch o.Verb {
	case events.OrderPause, events.OrderResume, events.OrderAcknowledge, events.OrderKill, events.OrderUnkill:
		out.State, out.Answer = Done, "done: "+string(o.Verb)
		return out, nil
	case events.OrderFailover, events.OrderSwitchover, events.OrderFailback, events.OrderEvacuate, events.OrderDrill, events.OrderApprove, events.OrderCancel:
	}
	groups := []string{o.Group}
	if o.Group == "" {
		groups = s.Views.groupNames()
	}
	for _, name := range groups {
		one, err := s.answered(ctx, name, o.Key)
		if err != nil {
			return out, err
		}
		one.Verb = o.Verb
		out.Groups = append(out.Groups, one)
	}
	if o.Group != "" {
		one := out.Groups[0]
		one.Receipt = receipt.Operations
		return one, nil
	}
	out.State, out.Answer = Done, "every group has answered"
	for _, one := range out.Groups {
		if one.State == Accepted || one.State == Begun || one.State == Waits || one.State == Planned {
			out.State, out.Answer = Accepted, "see the groups"
		}
	}
	return out, nil
}

// answered reads the answer to an order, and waits a moment for it when another
// instance has the group in hand.
func (s *server) answered(ctx context.Context, group, key string) (Outcome, error) {
	for wait, left := 100*time.Millisecond, waitFor; ; wait *= 2 {
		out, err := s.Views.Order(ctx, group, key)
		if err != nil || out.State != Accepted || left <= 0 {
			return out, err
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return out, nil
		case <-t.C:
			left -= wait
		}
	}
}

// Order tells what became of an order of the last 24 hours.
func (v *Views) Order(ctx context.Context, group, key string) (Outcome, error) {
	g, err := v.group(ctx, group)
	if err != nil {
		return Outcome{}, err
	}
	use, known := g.Keys[key]
	if !known {
		return Outcome{}, &fault.Error{Op: "find the order", Kind: fault.NotFound, Hint: "orders are remembered for 24 hours, by their Idempotency-Key"}
	}
	out := Outcome{Order: key, Group: group, Operation: use.Operation}
	out.State, out.Codes = stateOf(use)
	out.Answer = use.Answer
	if g.Operation != nil && g.Operation.ID == out.Operation {
		out.Plan = g.Operation.Plan.ID
	}
	timed := slices.IndexFunc(g.Scheduled, func(o record.Order) bool { return o.Order.Key == key })
	switch {
	case timed >= 0:
		o := g.Scheduled[timed]
		out.State, out.Operation, out.NotBefore = Planned, o.Signal, o.Order.NotBefore
		out.Answer = "kept for " + o.Order.NotBefore.UTC().Format(time.RFC3339) + ", to be judged by the guards of then"
	case out.State == Refused && g.Operation != nil:
		out.Operation = g.Operation.ID
	case out.State == Accepted && !slices.ContainsFunc(g.Orders, func(o record.Order) bool { return o.Order.Key == key }):
		out.State, out.Answer = Done, "done" // it took effect at once
	case out.State == Accepted:
		out.Answer = "accepted; it is judged by the next beat"
	}
	return out, nil
}

// stateOf reads the engine's answer.
func stateOf(u record.Use) (State, []string) {
	rest, refused := strings.CutPrefix(u.Answer, refusedPrefix)
	switch {
	case u.Answer == "":
		return Accepted, nil
	case refused:
		var codes []string
		for code := range strings.SplitSeq(rest, ", ") {
			if !report.IsReason(code) {
				return Refused, nil // a sentence
			}
			codes = append(codes, code)
		}
		return Refused, codes
	case strings.HasPrefix(u.Answer, "waits") || strings.HasPrefix(u.Answer, "approved, more"):
		return Waits, nil
	case u.Operation != "":
		return Begun, nil
	}
	return Done, nil
}

// refusal makes the problem of an order that was refused: the codes as they were
// recorded, and the sentences of the guards that still say no.
func (s *server) refusal(ctx context.Context, o events.Order, out Outcome) problem {
	p := problem{Type: "urn:erfailover:refused", Status: http.StatusConflict, Title: titleOf(fault.Refused), Kind: fault.Refused,
		Detail: strings.TrimPrefix(out.Answer, refusedPrefix), Order: out.Order, Group: out.Group, Operation: out.Operation, Codes: out.Codes}
	if len(out.Codes) == 0 {
		return p
	}
	p.Type += ":" + out.Codes[0]
	e, _, err := s.Views.explain(ctx, o.Group, &o)
	if err != nil {
		return p
	}
	var texts []string
	for _, g := range e.Guards {
		if g.Answer == report.Held && slices.Contains(out.Codes, string(g.Code)) {
			p.Reasons = append(p.Reasons, g)
			texts = append(texts, g.Text)
		}
	}
	if len(texts) > 0 {
		p.Detail = strings.Join(texts, "; ")
	}
	return p
}

func (s *server) getOrder(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	return ok(v.Order(ctx, r.PathValue("group"), r.PathValue("order")))
}

// planBody is the order that a plan is asked for.
type planBody struct {
	Verb      events.Verb `json:"verb,omitzero"` // failover, switchover, failback, evacuate or drill; absent: the automation's own judgement
	To        string      `json:"to,omitzero"`
	From      string      `json:"from,omitzero"`
	MakeHome  bool        `json:"make_home,omitzero"`
	Overrides []string    `json:"overrides,omitempty"`
	Break     bool        `json:"break,omitzero"`
	Reason    string      `json:"reason,omitzero"`
}

// postPlan judges and plans an order by the real code, and writes nothing.
func (s *server) postPlan(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	var b planBody
	if err := decodeStrict(r, s.Limits.Order, &b); err != nil {
		return answer{}, err
	}
	group := r.PathValue("group")
	var order *events.Order
	body := orderBody{To: b.To, From: b.From, MakeHome: b.MakeHome, Overrides: b.Overrides, Break: b.Break, Reason: b.Reason}
	switch b.Verb {
	case events.OrderFailover, events.OrderSwitchover, events.OrderFailback, events.OrderEvacuate, events.OrderDrill:
		if bad := body.check(b.Verb, s.Now().UTC()); len(bad) > 0 {
			return answer{}, badField(bad...)
		}
		o := body.order(b.Verb, group)
		o.By = r.caller.Name
		if o.By == "" {
			o.By = "somebody"
		}
		if err := s.placeKnown(ctx, r.caller, o.From); err != nil {
			return answer{}, err
		}
		order = &o
	case "":
		if bad := body.check(events.OrderResume, s.Now().UTC()); len(bad) > 0 {
			return answer{}, badField(bad...)
		}
	default:
		return answer{}, badField(problemField{"/verb", string(b.Verb), "failover, switchover, failback, evacuate, drill, or nothing"})
	}
	return ok(v.plan(ctx, group, order))
}

// plan previews an order; nil asks for the automation's own judgement.
func (v *Views) plan(ctx context.Context, group string, order *events.Order) (report.Planned, error) {
	e, p, err := v.explain(ctx, group, order)
	if err != nil {
		return report.Planned{}, err
	}
	return report.MakePlanned(judged(p), e, v.engine.Rules[group].Policy.Mode), nil
}
