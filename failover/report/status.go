package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// Input is what a status is made of: stored documents and the groups' health rules.
type Input struct {
	Now      time.Time
	Estate   record.Estate
	Groups   []record.Group           // by name
	Memories map[string]health.Memory // by circuit name
	Health   map[string]health.Rule   // by group
	Policy   map[string]policy.Rule   // by group
}

// Status is the estate as it is believed to be now.
type Status struct {
	At         time.Time     `json:"at"`
	Killed     *policy.Pause `json:"killed,omitempty"`
	Discovered time.Time     `json:"discovered,omitzero"`
	Unknown    int64         `json:"unknown_signals"`
	Groups     []GroupStatus `json:"groups"`
}

// GroupStatus is one group.
type GroupStatus struct {
	Name        string           `json:"name"`
	Mode        policy.Mode      `json:"mode"`
	Home        []string         `json:"home"`
	Active      []string         `json:"active"`
	ActiveSince time.Time        `json:"active_since,omitzero"`
	AtHome      bool             `json:"at_home"`
	Paused      *policy.Pause    `json:"paused,omitempty"`
	Verdict     policy.Verdict   `json:"verdict"`
	VerdictAt   time.Time        `json:"verdict_at,omitzero"`
	Epoch       int64            `json:"epoch"`
	OpenIntents int              `json:"open_intents"`
	Levers      []Pulled         `json:"levers,omitempty"` // paths that are cut on purpose, or not yet known to be back
	Drifted     []string         `json:"drifted,omitempty"`
	Circuits    []health.Belief  `json:"circuits"` // in order of preference
	Weights     []Weight         `json:"weights"`
	Operation   *Operation       `json:"operation,omitempty"` // running or waiting
	Recent      []record.Summary `json:"recent,omitempty"`    // newest first
	Orders      int              `json:"orders_waiting,omitzero"`
	Scheduled   []Scheduled      `json:"scheduled,omitempty"` // moves ordered for a time to come, soonest first
	LastMove    time.Time        `json:"last_move,omitzero"`
	ReadAt      time.Time        `json:"weights_read_at,omitzero"`
}

// Scheduled is a move that was ordered for a time to come.
type Scheduled struct {
	ID        string      `json:"id"` // what cancels it
	Verb      events.Verb `json:"verb"`
	From      string      `json:"from,omitzero"`
	To        string      `json:"to,omitzero"`
	By        string      `json:"by"`
	Reason    string      `json:"reason,omitzero"`
	At        time.Time   `json:"at"` // when it was ordered
	NotBefore time.Time   `json:"not_before"`
}

// Pulled is one lever that is pulled: what is cut, until when, and whether it is being
// put back.
type Pulled struct {
	Lever     policy.Lever `json:"lever"`
	Resource  string       `json:"resource"` // the gateway or circuit
	Circuits  []string     `json:"circuits"`
	Survivors []string     `json:"survivors"` // carry meanwhile
	Link      string       `json:"link,omitzero"`
	Operation string       `json:"operation"`
	At        time.Time    `json:"at"`
	Deadline  time.Time    `json:"deadline"`     // any instance puts it back after this
	Due       time.Time    `json:"due,omitzero"` // since when it is being put back
	Why       string       `json:"why,omitzero"`
	Error     string       `json:"error,omitzero"` // of the newest try
	Stuck     bool         `json:"stuck,omitzero"` // a person must look
}

// Text says it in one line.
func (p Pulled) Text() string {
	what := map[policy.Lever]string{policy.LeverDisconnect: leaf(p.Resource) + " has left the location of " + strings.Join(p.Circuits, ", "),
		policy.LeverLink: "the " + p.Link + " link of " + strings.Join(p.Circuits, ", ") + " is cut", policy.LeverPeering: "the private peering of " + strings.Join(p.Circuits, ", ") + " is disabled"}[p.Lever]
	switch {
	case p.Stuck:
		return what + ", and does not go back since " + p.Due.UTC().Format("15:04:05Z") + ": a person must look"
	case !p.Due.IsZero():
		return what + "; it is being put back: " + p.Why
	}
	return what + "; it is put back at " + p.Deadline.UTC().Format("2006-01-02 15:04:05Z") + ", whatever happens"
}

// Weight is one connection's weight now and at rest.
type Weight struct {
	Connection string `json:"connection"`
	Gateway    string `json:"gateway"`
	Circuit    string `json:"circuit"`
	Now        int32  `json:"now"`
	Rest       *int32 `json:"rest,omitempty"` // nil when it is not known
	Epoch      string `json:"epoch,omitzero"`
	Carries    bool   `json:"carries"` // the highest weight of its gateway
}

// MakeStatus makes the status of the estate.
func MakeStatus(in Input) Status {
	out := Status{At: in.Now.UTC(), Killed: in.Estate.Killed, Discovered: in.Estate.At, Unknown: in.Estate.Unknown}
	for _, g := range in.Groups {
		out.Groups = append(out.Groups, groupStatus(in, g))
	}
	return out
}

func groupStatus(in Input, g record.Group) GroupStatus {
	topo, _ := in.Estate.Facts.Group(g.Name)
	view := health.Fold(topo, &in.Estate.Facts, in.Memories, in.Health[g.Name], in.Now)
	s := GroupStatus{
		Name: g.Name, Mode: in.Policy[g.Name].Mode, Home: topo.Home(), Active: g.Active, ActiveSince: g.ActiveSince,
		AtHome: slices.Equal(slices.Sorted(slices.Values(topo.Home())), slices.Sorted(slices.Values(g.Active))),
		Paused: g.Pause, Verdict: g.Verdict, VerdictAt: g.VerdictAt, Epoch: g.Epoch, OpenIntents: len(g.Intents),
		Drifted: slices.Sorted(maps.Keys(g.Drift)), Recent: g.Recent, Orders: len(g.Orders), LastMove: g.LastMove, ReadAt: g.ReadAt,
		Weights: weights(&in.Estate.Facts, topo, g),
	}
	for _, name := range topo.Circuits() {
		s.Circuits = append(s.Circuits, view.Circuits[name])
	}
	for _, c := range g.Cuts {
		if c.Gone.IsZero() {
			s.Levers = append(s.Levers, Pulled{Lever: c.Lever, Resource: c.Pull.Connection, Circuits: c.Circuits, Survivors: c.Survivors, Link: c.Link, Operation: c.Operation,
				At: c.At, Deadline: c.Deadline, Due: c.Due, Why: c.Why, Error: c.Back.Error, Stuck: !c.Stuck.IsZero()})
		}
	}
	for _, o := range g.Scheduled {
		s.Scheduled = append(s.Scheduled, Scheduled{ID: o.Signal, Verb: o.Order.Verb, From: o.Order.From, To: o.Order.To, By: o.Order.By,
			Reason: o.Order.Reason, At: o.At, NotBefore: o.Order.NotBefore})
	}
	if g.Operation != nil {
		op := MakeOperation(*g.Operation, in.Policy[g.Name].Objective)
		s.Operation = &op
	}
	return s
}

func weights(est *topology.Estate, topo topology.Group, g record.Group) []Weight {
	top := map[string]int32{}
	for _, c := range est.ConnectionsOf(topo) {
		top[c.Gateway] = max(top[c.Gateway], g.Actual[c.ID].Weight)
	}
	var out []Weight
	for _, c := range est.ConnectionsOf(topo) {
		now, read := g.Actual[c.ID]
		if !read {
			continue
		}
		w := Weight{Connection: c.ID, Gateway: c.Gateway, Circuit: est.CircuitOf(c.Circuit), Now: now.Weight, Epoch: now.Epoch, Carries: now.Weight == top[c.Gateway]}
		if rest, known := g.Baseline[c.ID]; known {
			w.Rest = &rest.Weight
		}
		out = append(out, w)
	}
	return out
}

// Operation is one operation, step by step, with its ledger.
type Operation struct {
	ID       string           `json:"id"`
	Plan     string           `json:"plan"`
	Group    string           `json:"group"`
	Kind     policy.Kind      `json:"kind"`
	From     []string         `json:"from,omitempty"`
	To       []string         `json:"to,omitempty"`
	Epoch    int64            `json:"epoch"`
	Status   record.Status    `json:"status"`
	Result   record.Result    `json:"result,omitzero"`
	Symmetry record.Symmetry  `json:"symmetry,omitzero"`
	By       string           `json:"by,omitzero"`
	Approved []string         `json:"approved,omitempty"`
	Expires  time.Time        `json:"expires,omitzero"`
	Why      []policy.Finding `json:"why,omitempty"`
	Steps    []Step           `json:"steps"`
	Ledger   Ledger           `json:"ledger"`
	Notes    []string         `json:"notes,omitempty"`
	Begun    time.Time        `json:"begun,omitzero"`
	Ended    time.Time        `json:"ended,omitzero"`
}

// Step is one write of an operation.
type Step struct {
	Connection  string         `json:"connection"`
	Gateway     string         `json:"gateway"`
	Circuit     string         `json:"circuit"`
	From        int32          `json:"from"`
	To          int32          `json:"to"`
	Phase       executor.Phase `json:"phase"`
	Attempts    int            `json:"attempts"`
	BegunAt     time.Time      `json:"begun_at,omitzero"`
	DoneAt      time.Time      `json:"done_at,omitzero"`
	NotBefore   time.Time      `json:"not_before,omitzero"`
	Correlation string         `json:"correlation,omitzero"`
	Error       string         `json:"error,omitzero"`
	Hint        string         `json:"hint,omitzero"`

	Lever planner.StepKind `json:"lever,omitzero"` // what cuts, in place of a weight
	Cut   bool             `json:"cut,omitzero"`   // levers: cut; false is put back
}

// ends returns what stands before and after the step, for people.
func (s Step) ends() (from, to string) {
	switch {
	case s.Lever == planner.SetWeight:
		return fmt.Sprint(s.From), fmt.Sprint(s.To)
	case s.Cut:
		return "in use", "cut"
	}
	return "cut", "in use"
}

// Change says what the step does, for people.
func (s Step) Change() string {
	switch {
	case s.Lever == planner.SetWeight:
		return fmt.Sprintf("%d → %d", s.From, s.To)
	case s.Cut:
		return "cut by " + string(s.Lever)
	}
	return "put back"
}

// MakeOperation makes the view of an operation.
func MakeOperation(op record.Operation, objective time.Duration) Operation {
	out := Operation{
		ID: op.ID, Plan: op.Plan.ID, Group: op.Group, Kind: op.Kind, From: op.Plan.From, To: op.Plan.To, Epoch: op.Plan.Epoch,
		Status: op.Status, Result: op.Result, Symmetry: op.Symmetry, By: op.By, Approved: op.Approved, Expires: op.Expires,
		Why: op.Verdict.Reasons, Ledger: MakeLedger(op.Stamps, objective), Notes: op.Notes, Begun: op.Stamps.Decide, Ended: op.Stamps.End,
	}
	for _, s := range op.Steps {
		out.Steps = append(out.Steps, Step{
			Lever: s.Kind, Cut: s.Cut, Connection: s.Connection, Gateway: s.Gateway, Circuit: s.Circuit, From: s.From.Weight, To: s.To.Weight, Phase: s.Phase,
			Attempts: s.Attempts, BegunAt: s.BegunAt, DoneAt: s.DoneAt, NotBefore: s.NotBefore, Correlation: s.Correlation, Error: s.Error, Hint: s.Hint,
		})
	}
	return out
}

// NewInput returns an input with room for what is looked up by name.
func NewInput(now time.Time, estate record.Estate) Input {
	return Input{Now: now, Estate: estate, Memories: map[string]health.Memory{}, Health: map[string]health.Rule{}, Policy: map[string]policy.Rule{}}
}
