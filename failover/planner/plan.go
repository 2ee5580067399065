// Package planner turns a verdict and the weights as they are into a plan:
// ordered steps as data that can be shown, hashed, stored and reversed.
//
//	rest      ashburn 200   chicago 100   dallas 50
//	epoch 1   ashburn 200   chicago 201   dallas 50     failover: one raise
//	epoch 2   ashburn 202   chicago 201   dallas 50     failback: one raise
//	settle    ashburn 200   chicago 100   dallas 50     non-preferred first
//
// A decision raises the target's connection to base + epoch on each gateway, where
// base is the highest weight at rest of that gateway. Nothing is lowered on the
// critical path, so a gateway always keeps the path it has until a better one
// stands, and a write that lands late carries a lower weight and loses.
//
// The package is pure.
package planner

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/fault"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// Weight is one connection's weight and the epoch in our tag; "" when it has none.
type Weight struct {
	Weight int32  `json:"weight"`
	Epoch  string `json:"epoch,omitzero"`
}

// StepKind is what a step does. The zero value sets a weight; every other kind cuts
// a path, or puts it back.
type StepKind string

// The kinds of steps, a closed list.
const (
	SetWeight  StepKind = ""           // one connection's weight and our tag
	Disconnect StepKind = "disconnect" // a gateway's site failover test: it leaves one peering location
	CutLink    StepKind = "link"       // a circuit's link failover test: one link of two
	CutPeering StepKind = "peering"    // a circuit's private peering is disabled
)

// Step is one write: one connection, one weight, one tag; or one lever, cut or put
// back.
type Step struct {
	Kind       StepKind `json:"kind,omitzero"`
	Connection string   `json:"connection"` // what is written: the connection; of a lever the gateway or the circuit
	Gateway    string   `json:"gateway"`    // "" for a lever on a circuit
	Circuit    string   `json:"circuit"`    // circuit name
	Wave       int      `json:"wave"`       // waves run in order on a gateway
	From       Weight   `json:"from"`       // what the plan was made from; also the undo
	To         Weight   `json:"to"`
	Location   string   `json:"location,omitzero"` // disconnect: the peering location that is left
	Link       string   `json:"link,omitzero"`     // link: primary or secondary
	Cut        bool     `json:"cut,omitzero"`      // levers: true cuts, false puts back

	Newer jsontext.Value `json:",embed"` // what a newer version wrote here and this one does not know
}

// Same reports whether both do the same thing, whatever a newer version wrote beside.
func (s Step) Same(o Step) bool {
	return s.Kind == o.Kind && s.Connection == o.Connection && s.Gateway == o.Gateway && s.Circuit == o.Circuit && s.Wave == o.Wave &&
		s.From == o.From && s.To == o.To && s.Location == o.Location && s.Link == o.Link && s.Cut == o.Cut
}

// Plan is everything that one decision writes.
type Plan struct {
	ID     string      `json:"id"` // "p-" and 16 hex digits over the content
	Group  string      `json:"group"`
	Kind   policy.Kind `json:"kind"`
	Epoch  int64       `json:"epoch"`
	From   []string    `json:"from,omitempty"`
	To     []string    `json:"to,omitempty"`
	Steps  []Step      `json:"steps"`
	Settle bool        `json:"settle,omitzero"` // lowers weights: its writes close before any new decision

	Lever policy.Lever `json:"lever,omitzero"` // what cuts; "" for a plan that sets weights

	Newer jsontext.Value `json:",embed"` // what a newer version wrote here and this one does not know
}

// Input is everything that Make depends on. Maps are by connection ID.
type Input struct {
	Estate   *topology.Estate
	Group    topology.Group
	Actual   map[string]Weight // as read just now
	Baseline map[string]Weight // at rest
	Open     map[string]int32  // highest weight that writes of ours may still bring; a connection without one is missing
	Verdict  policy.Verdict
	Epoch    int64 // of this decision
}

// Make returns the plan for a verdict, with only the steps that are still needed:
// a plan without steps means that the network is already as wanted, and stays so
// whatever open write lands.
//
// It refuses, with fault.Refused, a plan that would strand a gateway, pass the
// highest weight, or leave two circuits tied at the top; and with fault.Invalid one
// whose connections were not all read.
func Make(in Input) (Plan, error) {
	p := Plan{Group: in.Group.Name, Kind: in.Verdict.Kind, Epoch: in.Epoch, From: in.Verdict.From, To: in.Verdict.To}
	var err error
	switch {
	case in.Verdict.Lever.Cuts():
		p.Lever = in.Verdict.Lever
		p.Steps, err = pull(in)
	case in.Verdict.Kind == policy.KindSettle || returnsToTier(in):
		p.Settle = true
		p.Steps, err = settle(in)
	default:
		p.Steps, err = raise(in)
	}
	if err != nil {
		return Plan{}, err
	}
	p.ID = id(p)
	return p, nil
}

// returnsToTier reports whether the way home leads to several circuits that share
// traffic: no raise can tie them, so settling is the way home.
func returnsToTier(in Input) bool {
	return in.Verdict.Kind == policy.KindFailback && len(in.Verdict.To) > 1
}

// raise makes one raise-only write a gateway.
func raise(in Input) ([]Step, error) {
	if len(in.Verdict.To) != 1 {
		return nil, refuse(in, fmt.Sprintf("a raise needs one target, not %d", len(in.Verdict.To)), "name the circuit to move to")
	}
	target := in.Verdict.To[0]
	var steps []Step
	for _, gw := range in.Group.Gateways {
		conns := connections(in, gw)
		if len(conns) == 0 {
			continue
		}
		if err := unread(in, conns); err != nil {
			return nil, err
		}
		conn, ok := in.Estate.Connection(gw, target)
		top := Preferred(in.Estate, in.Group, gw, in.Actual)
		if !ok {
			if touches(top, in.Verdict.From) {
				return nil, refuse(in, "gateway "+short(gw)+" has no connection to "+target+" and would be stranded", "connect it, or choose another circuit")
			}
			continue
		}
		rival, height := highest(in, conns, conn.ID)
		if slices.Equal(top, []string{target}) && in.Actual[conn.ID].Weight > height {
			continue
		}
		to := int64(Base(in.Estate, in.Group, gw, in.Baseline, in.Actual)) + in.Epoch
		if to > topology.MaxWeight {
			return nil, refuse(in, fmt.Sprintf("weight %d of %s would pass %d", to, short(conn.ID), topology.MaxWeight), "set lower weights at rest")
		}
		step := Step{Connection: conn.ID, Gateway: gw, Circuit: target, From: in.Actual[conn.ID], To: Weight{int32(to), strconv.FormatInt(in.Epoch, 10)}}
		if untagged(in.Estate, conn) {
			step.To.Epoch = ""
		}
		if height >= step.To.Weight {
			return nil, refuse(in, fmt.Sprintf("%s has weight %d, or a write to it may bring that, not below %d", short(rival), height, to), "a weight that others wrote is in the way: accept it as the new weight at rest")
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// highest returns the connection besides one that has, or may come to have by an
// open write, the highest weight; -1 when there is no other.
func highest(in Input, conns []topology.Connection, besides string) (id string, weight int32) {
	weight = -1
	for _, k := range conns {
		if w := max(in.Actual[k.ID].Weight, in.Open[k.ID]); k.ID != besides && w > weight {
			id, weight = k.ID, w
		}
	}
	return id, weight
}

// settle writes the weights at rest back, the non-preferred circuits first and
// home last, so that home stays on top throughout.
func settle(in Input) ([]Step, error) {
	var steps []Step
	for _, gw := range in.Group.Gateways {
		conns := connections(in, gw)
		if err := unread(in, conns); err != nil {
			return nil, err
		}
		for _, k := range conns {
			rest, known := in.Baseline[k.ID]
			if !known {
				return nil, refuse(in, "the weight at rest of "+short(k.ID)+" is not known", "accept the present weights as the weights at rest")
			}
			now := in.Actual[k.ID]
			if now == rest {
				continue
			}
			name := in.Estate.CircuitOf(k.Circuit)
			steps = append(steps, Step{Connection: k.ID, Gateway: gw, Circuit: name, Wave: settleWave(in, gw, name), From: now, To: rest})
		}
	}
	closeRanks(steps)
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.Wave, b.Wave) })
	return steps, nil
}

// settleWave puts home last, and before it the standby that carries the gateway's
// traffic: another standby that an older decision raised, and that may be dead by
// now, is lowered first, or it would carry in between.
func settleWave(in Input, gw, circuit string) int {
	switch {
	case slices.Contains(in.Group.Home(), circuit):
		return 2
	case slices.Contains(Preferred(in.Estate, in.Group, gw, in.Actual), circuit):
		return 1
	}
	return 0
}

// closeRanks numbers the waves that are there from 0.
func closeRanks(steps []Step) {
	var used []int
	for _, s := range steps {
		if !slices.Contains(used, s.Wave) {
			used = append(used, s.Wave)
		}
	}
	slices.Sort(used)
	for i := range steps {
		steps[i].Wave = slices.Index(used, steps[i].Wave)
	}
}

// Base returns the highest weight at rest of a gateway's connections in the group.
// A connection whose weight at rest is unknown counts with its present weight when
// that carries no tag of ours.
func Base(est *topology.Estate, g topology.Group, gateway string, baseline, actual map[string]Weight) int32 {
	var base int32
	for _, name := range g.Circuits() {
		c, ok := est.Connection(gateway, name)
		if !ok {
			continue
		}
		w, known := baseline[c.ID]
		if !known && actual[c.ID].Epoch == "" {
			w = actual[c.ID]
		}
		base = max(base, w.Weight)
	}
	return base
}

// Preferred returns the circuits of the group that carry a gateway's traffic: the
// highest weight wins, a tie shares. The order is the group's.
func Preferred(est *topology.Estate, g topology.Group, gateway string, actual map[string]Weight) []string {
	var top []string
	best := int32(-1)
	for _, name := range g.Circuits() {
		c, ok := est.Connection(gateway, name)
		if !ok {
			continue
		}
		w, read := actual[c.ID]
		switch {
		case !read:
		case w.Weight > best:
			best, top = w.Weight, []string{name}
		case w.Weight == best:
			top = append(top, name)
		}
	}
	return top
}

// Carrying returns the circuits that carry any gateway's traffic, in the group's
// order.
func Carrying(est *topology.Estate, g topology.Group, actual map[string]Weight) []string {
	var out []string
	for _, name := range g.Circuits() {
		if slices.ContainsFunc(g.Gateways, func(gw string) bool {
			return slices.Contains(Preferred(est, g, gw, actual), name)
		}) {
			out = append(out, name)
		}
	}
	return out
}

// NextEpoch returns the epoch of the next decision: above the record's, above
// every tag, and above every raised weight, so that it keeps rising when the record
// was lost.
func NextEpoch(recorded int64, est *topology.Estate, g topology.Group, baseline, actual map[string]Weight) int64 {
	top := recorded
	for _, c := range est.ConnectionsOf(g) {
		w, ok := actual[c.ID]
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(w.Epoch, 10, 64); err == nil && n >= 0 && n <= topology.MaxWeight {
			top = max(top, n)
		}
		if _, known := baseline[c.ID]; known && (w.Epoch != "" || untagged(est, c)) {
			top = max(top, int64(w.Weight)-int64(Base(est, g, c.Gateway, baseline, actual)))
		}
	}
	return top + 1
}

// untagged reports whether a connection can carry no tag, so that its weight alone
// tells the epoch.
func untagged(est *topology.Estate, c topology.Connection) bool {
	g, ok := est.Gateway(c.Gateway)
	return ok && g.Kind == topology.VWAN
}

// Undo returns the plan's steps reversed, as data: what the connections had before.
// What was written last is taken back first, so the waves run backward too.
func Undo(p Plan) []Step {
	last := 0
	for _, s := range p.Steps {
		last = max(last, s.Wave)
	}
	out := make([]Step, 0, len(p.Steps))
	for _, s := range slices.Backward(p.Steps) {
		s.From, s.To, s.Wave = s.To, s.From, last-s.Wave
		if s.Kind != SetWeight {
			s.Cut = !s.Cut
		}
		out = append(out, s)
	}
	return out
}

func connections(in Input, gateway string) []topology.Connection {
	var out []topology.Connection
	for _, name := range in.Group.Circuits() {
		if c, ok := in.Estate.Connection(gateway, name); ok {
			out = append(out, c)
		}
	}
	return out
}

func unread(in Input, conns []topology.Connection) error {
	for _, c := range conns {
		if _, ok := in.Actual[c.ID]; !ok {
			return &fault.Error{Op: "plan group " + in.Group.Name, Target: c.ID, Kind: fault.Invalid, Hint: "read the connection first", Err: fmt.Errorf("its weight is not known")}
		}
	}
	return nil
}

func touches(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func refuse(in Input, what, hint string) error {
	return &fault.Error{Op: "plan group " + in.Group.Name, Kind: fault.Refused, Hint: hint, Err: fmt.Errorf("%s", what)}
}

func short(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// id hashes everything that a plan does. The same trouble on the same network gives
// the same plan.
func id(p Plan) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %d %t %q %q\n", p.Group, p.Kind, p.Epoch, p.Settle, p.From, p.To)
	for _, s := range p.Steps {
		fmt.Fprintf(h, "%q %q %d %d %q %d %q\n", s.Connection, s.Gateway, s.Wave, s.From.Weight, s.From.Epoch, s.To.Weight, s.To.Epoch)
		if s.Kind != SetWeight {
			fmt.Fprintf(h, "%q %q %q %t\n", s.Kind, s.Location, s.Link, s.Cut)
		}
	}
	return "p-" + hex.EncodeToString(h.Sum(nil))[:16]
}
