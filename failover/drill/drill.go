// Package drill rehearses failover on a calendar: announce, arm the way back, move,
// hold, return, measure.
//
//	idle ──announce──▶ announced ──time──▶ armed ──read back──▶ moving ──proven──▶ holding
//	  ▲                    │ refused          │                    │ refused, failed   │ hold over, limit, stop
//	  │                    ▼                  ▼                    ▼                   ▼
//	  └───────────────── ended ◀────────────────────────────── returning ◀────────────┘
//	                                  overtaken: real trouble, the incident goes on without us
//
// The way back is armed first: the drill's deadline is stored before the order to
// move is given, and the engine takes traffic home after it by itself, whatever
// becomes of the calendar. Orders carry keys, so a drill that is taken up by another
// instance in the middle repeats nothing.
//
// The package is pure: it decides from the drill's document, the group's document
// and the instant.
package drill

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// Kind says what a drill does.
type Kind string

const (
	Move       Kind = "move"       // weights to the standby, hold, and back
	Disconnect Kind = "disconnect" // the gateway's site failover test
	Link       Kind = "link"       // one link of two
	Tabletop   Kind = "tabletop"   // decide and plan, write nothing
	Evacuate   Kind = "evacuate"   // everything off the location of the home circuit
)

// Spec is one configured drill.
type Spec struct {
	Name      string
	Group     string
	Kind      Kind
	Calendar  Calendar
	Hold      time.Duration // on the standby
	Limit     time.Duration // over and undone after this; longer than Hold
	Announce  time.Duration // notice ahead of the start
	Objective time.Duration // the group's; 0 for none
}

// Phase is where a drill stands.
type Phase string

const (
	Idle      Phase = "idle"
	Announced Phase = "announced"
	Armed     Phase = "armed"     // the deadline is stored; nothing was ordered yet
	Moving    Phase = "moving"    // the order to move was given
	Holding   Phase = "holding"   // traffic is on the standby
	Returning Phase = "returning" // the order to go home was given
)

// Result is how a drill ended.
type Result string

const (
	Passed    Result = "passed"    // moved, proven, within the objective, everything as before
	Failed    Result = "failed"    // one of those is missing
	Refused   Result = "refused"   // a guard said no before anything was written
	Overtaken Result = "overtaken" // real trouble came; the incident took over
	Stopped   Result = "stopped"   // a person stopped it
)

// Document is a drill's durable state.
type Document struct {
	Schema   int       `json:"schema"`
	Name     string    `json:"name"`
	Phase    Phase     `json:"phase"`
	Next     time.Time `json:"next,omitzero"`     // planned start
	ID       string    `json:"id,omitzero"`       // of the running one
	Deadline time.Time `json:"deadline,omitzero"` // the engine takes traffic home after this
	ArmedAt  time.Time `json:"armed_at,omitzero"`
	HeldAt   time.Time `json:"held_at,omitzero"`
	ReturnAt time.Time `json:"return_at,omitzero"`
	Out      string    `json:"out,omitzero"`  // operation that moved
	Back     string    `json:"back,omitzero"` // operation that returned
	Why      string    `json:"why,omitzero"`  // why it is on its way home early
	Ended    Result    `json:"ended,omitzero"`
	Attempts int       `json:"attempts,omitzero"` // orders to go home
	Last     *Outcome  `json:"last,omitempty"`
	History  []Outcome `json:"history,omitempty"` // newest first, at most 24
	By       string    `json:"by,omitzero"`       // who ordered it, for one outside the calendar
	record.Trail
}

// Outcome is one finished drill.
type Outcome struct {
	ID         string    `json:"id"`
	Result     Result    `json:"result"`
	Began      time.Time `json:"began"`
	Ended      time.Time `json:"ended"`
	Out        string    `json:"out,omitzero"`
	Back       string    `json:"back,omitzero"`
	RecoveryMS int64     `json:"recovery_ms,omitzero"` // from the order to traffic on the standby
	Why        string    `json:"why,omitzero"`
	Restored   bool      `json:"restored"` // the weights at rest are back
}

// Key returns the key of a drill's document.
func Key(name string) string { return "drill/" + name }

// Stream returns the journal stream of a drill.
func Stream(name string) string { return "drill." + name }

// Input is what Step looks at.
type Input struct {
	Spec  Spec
	Group record.Group      // the group's document
	Out   *record.Operation // the operation that moved, once it has ended and when it was found
	Now   time.Time
}

const (
	retryHome   = time.Minute // between orders to go home
	keptHistory = 24
	by          = "drill calendar"
)

// Step takes a drill one beat further: the document to store, and the orders to
// give after it is stored.
func Step(d Document, in Input) (Document, []events.Order) {
	d.Schema, d.Name = record.Schema, in.Spec.Name
	if d.Phase == "" {
		d.Phase = Idle
	}
	switch d.Phase {
	case Idle:
		return idle(d, in), nil
	case Announced:
		return announced(d, in), nil
	case Armed:
		d.Phase = Moving
		note(&d, in, "move", "the way back is armed until "+stamp(d.Deadline)+"; the move is ordered")
		return d, []events.Order{outward(d, in)}
	case Moving:
		return moving(d, in)
	case Holding:
		return holding(d, in)
	case Returning:
		return returning(d, in)
	}
	return d, nil
}

func idle(d Document, in Input) Document {
	if d.Next.IsZero() {
		d.Next = in.Spec.Calendar.Next(in.Now)
		if !d.Next.IsZero() {
			note(&d, in, "plan", "the next drill begins at "+stamp(d.Next))
		}
		return d
	}
	if in.Now.Before(d.Next.Add(-in.Spec.Announce)) {
		return d
	}
	d.Phase = Announced
	note(&d, in, "announce", fmt.Sprintf("group %s is drilled at %s for %s", in.Spec.Group, stamp(d.Next), in.Spec.Hold))
	return d
}

func announced(d Document, in Input) Document {
	if in.Now.Before(d.Next) {
		return d
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", d.Name, d.Next.UnixNano()))
	d.ID = "d-" + hex.EncodeToString(sum[:6])
	switch {
	case in.Now.After(d.Next.Add(in.Spec.Limit)):
		return finish(d, in, Refused, "it could not begin in time")
	case in.Spec.Kind != Move:
		return finish(d, in, Refused, "drills of kind "+string(in.Spec.Kind)+" are not part of this version")
	}
	d.Phase, d.ArmedAt, d.Deadline = Armed, in.Now, in.Now.Add(in.Spec.Limit)
	note(&d, in, "arm", "armed: traffic goes home by itself at "+stamp(d.Deadline))
	return d
}

func outward(d Document, in Input) events.Order {
	return events.Order{Verb: events.OrderDrill, Group: in.Spec.Group, Operation: d.ID, Until: d.Deadline, By: who(d), Reason: "drill " + d.Name, Key: d.ID + "-out"}
}

func homeward(d Document, in Input) events.Order {
	return events.Order{Verb: events.OrderFailback, Group: in.Spec.Group, Operation: d.ID, By: who(d), Reason: "end of drill " + d.Name, Key: fmt.Sprintf("%s-home-%d", d.ID, d.Attempts)}
}

func who(d Document) string {
	if d.By != "" {
		return d.By
	}
	return by
}

// moving waits for the move. The order is given again each time: its key makes that
// harmless, and a crash between the save and the order harmless too.
func moving(d Document, in Input) (Document, []events.Order) {
	use, answered := in.Group.Keys[d.ID+"-out"]
	if !answered || use.Answer == "" {
		if !in.Now.Before(d.Deadline) {
			return home(d, in, "the order to move was never answered")
		}
		return d, []events.Order{outward(d, in)}
	}
	if strings.HasPrefix(use.Answer, "refused") {
		return finish(d, in, Refused, strings.TrimPrefix(use.Answer, "refused: ")), nil
	}
	d.Out = use.Operation
	for _, s := range in.Group.Recent {
		if s.ID != d.Out {
			continue
		}
		switch {
		case in.Group.Drill != d.ID && s.Result == record.FailedOp:
			return finish(d, in, Failed, "the move failed; traffic never left home"), nil
		case in.Group.Drill != d.ID:
			return finish(d, in, Overtaken, "real trouble came before traffic had moved"), nil
		case s.Result == record.Proven, s.Result == record.AppliedOK:
			d.Phase, d.HeldAt = Holding, in.Now
			note(&d, in, "hold", "traffic is on "+strings.Join(s.To, ", ")+" ("+string(s.Result)+"); it is held for "+in.Spec.Hold.String())
			return d, nil
		default:
			return home(d, in, "the move ended "+string(s.Result))
		}
	}
	if !in.Now.Before(d.Deadline) {
		return home(d, in, "the move took too long")
	}
	return d, nil
}

func holding(d Document, in Input) (Document, []events.Order) {
	switch {
	case in.Group.Drill != d.ID && !in.Now.Before(d.Deadline) && last(in.Group, d.HeldAt) == policy.KindFailback:
		d.Phase, d.ReturnAt, d.Attempts = Returning, in.Now, 1
		d.Why = "the calendar was away; the engine took traffic home at the deadline"
		note(&d, in, "return", d.Why)
		return d, nil
	case in.Group.Drill != d.ID:
		return finish(d, in, Overtaken, "real trouble came while traffic was held"), nil
	case in.Group.Pause.Holds(in.Now):
		return home(d, in, "the group was paused by "+in.Group.Pause.By)
	case !in.Now.Before(d.Deadline), !in.Now.Before(d.HeldAt.Add(in.Spec.Hold)):
		return home(d, in, "")
	}
	return d, nil
}

// last returns the kind of the group's newest move of traffic after an instant.
func last(g record.Group, after time.Time) policy.Kind {
	for _, s := range g.Recent {
		if s.Kind != policy.KindSettle && s.Ended.After(after) {
			return s.Kind
		}
	}
	return ""
}

// home begins the way back; why is told when it comes early.
func home(d Document, in Input, why string) (Document, []events.Order) {
	d.Phase, d.Why, d.ReturnAt, d.Attempts = Returning, why, in.Now, 1
	text := "the way home is ordered"
	if why != "" {
		text += ": " + why
	}
	note(&d, in, "return", text)
	return d, []events.Order{homeward(d, in)}
}

// returning waits until traffic is home and the weights at rest are back, and orders
// again when an order was refused.
func returning(d Document, in Input) (Document, []events.Order) {
	key := fmt.Sprintf("%s-home-%d", d.ID, d.Attempts)
	use := in.Group.Keys[key]
	if in.Group.Drill == "" {
		if use.Operation != "" {
			d.Back = use.Operation
		}
		if !rested(in.Group) && in.Now.Before(d.ReturnAt.Add(in.Spec.Limit)) {
			return d, nil // home; the weights at rest are still to be written back
		}
		return judge(d, in), nil
	}
	switch {
	case in.Group.Drill != d.ID:
		return finish(d, in, Overtaken, "another drill holds the group"), nil
	case use.Answer == "":
		return d, []events.Order{homeward(d, in)}
	case strings.HasPrefix(use.Answer, "refused") && !in.Now.Before(d.ReturnAt.Add(time.Duration(d.Attempts)*retryHome)):
		d.Attempts++
		note(&d, in, "return", "the way home was refused ("+strings.TrimPrefix(use.Answer, "refused: ")+"); it is ordered again")
		return d, []events.Order{homeward(d, in)}
	}
	return d, nil
}

// rested reports whether every weight and tag is as it was at rest.
func rested(g record.Group) bool {
	for id, rest := range g.Baseline {
		if now, read := g.Actual[id]; !read || now.Weight != rest.Weight || now.Epoch != rest.Epoch {
			return false
		}
	}
	return g.Operation == nil
}

// judge passes or fails a drill from what was measured, never from a claim.
func judge(d Document, in Input) Document {
	var missing []string
	if d.Why != "" {
		missing = append(missing, d.Why)
	}
	switch op := in.Out; {
	case op == nil:
		missing = append(missing, "the operation that moved was not found")
	case op.Result != record.Proven:
		missing = append(missing, "the move was "+string(op.Result)+", not proven")
	case in.Spec.Objective > 0 && recovery(op) > in.Spec.Objective:
		missing = append(missing, fmt.Sprintf("the move took %s, the objective is %s", recovery(op).Round(time.Second), in.Spec.Objective))
	}
	if !rested(in.Group) {
		missing = append(missing, "the weights at rest are not back")
	}
	if len(missing) > 0 {
		return finish(d, in, Failed, strings.Join(missing, "; "))
	}
	return finish(d, in, Passed, "")
}

// recovery returns how long the move took, from the order to traffic on the standby.
func recovery(op *record.Operation) time.Duration {
	end := op.Stamps.Verify
	if end.IsZero() {
		end = op.Stamps.End
	}
	return end.Sub(op.Stamps.Signal)
}

// finish ends a drill and plans the next.
func finish(d Document, in Input, r Result, why string) Document {
	o := Outcome{ID: d.ID, Result: r, Began: d.ArmedAt, Ended: in.Now, Out: d.Out, Back: d.Back, Why: why, Restored: rested(in.Group)}
	if in.Out != nil {
		o.RecoveryMS = recovery(in.Out).Milliseconds()
	}
	text := "drill " + string(r)
	if why != "" {
		text += ": " + why
	}
	note(&d, in, "end", text)
	next := Document{Schema: d.Schema, Name: d.Name, Phase: Idle, Last: &o, History: append([]Outcome{o}, d.History...), Trail: d.Trail}
	next.History = next.History[:min(len(next.History), keptHistory)]
	next.Next = in.Spec.Calendar.Next(in.Now)
	return next
}

// Start begins a drill now, outside the calendar.
func Start(d Document, in Input, by string) (Document, error) {
	if d.Phase != Idle && d.Phase != Announced && d.Phase != "" {
		return d, fmt.Errorf("drill %s runs already (%s)", in.Spec.Name, d.Phase)
	}
	d.Schema, d.Name, d.Phase, d.Next, d.By = record.Schema, in.Spec.Name, Announced, in.Now, by
	note(&d, in, "order", "ordered by "+by)
	return d, nil
}

func note(d *Document, in Input, what, text string) {
	d.Add(Stream(d.Name), record.Entry{At: in.Now, Code: "drill." + what, Group: in.Spec.Group, Operation: d.ID, Text: text, Reasons: reasons(what)})
}

// reasons names the reason code of a drill's entry, where there is one.
func reasons(what string) []string {
	if what == "hold" {
		return []string{string(policy.DrillRunning)}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
