package report

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// moves reports whether operations of this kind move traffic.
func (o Operation) moves() bool { return o.Kind != policy.KindSettle }

// The drawing of a timeline, in units of its view box.
const (
	drawLeft  = 150 // names stand left of it
	drawWidth = 560 // of the time axis
	drawRow   = 26
	drawHead  = 22 // the scale stands above it
	drawAll   = 850
)

// drawing is the timeline of a ledger, to scale.
type drawing struct {
	Height    int
	Foot      int // where the vertical lines end
	Ticks     []tick
	Bars      []bar
	Objective *tick // nil: none was set
	Width     int
	Left      int
}

type tick struct {
	X    float64
	Name string
}

// bar is one row: a stage of the ledger, or a write.
type bar struct {
	Name  string
	Class string // "stage" or "write", and how it ended
	Y     int
	X, W  float64
	Label string  // beside the bar
	At    float64 // where the label begins
}

// draw lays out the stages and, below them, the writes on the same axis.
func draw(o Operation) drawing {
	d := drawing{Width: drawAll, Left: drawLeft}
	if len(o.Ledger.Stages) == 0 {
		return d
	}
	zero := o.Ledger.Stages[0].At
	whole := max(o.Ledger.RecoveryMS, 1)
	if o.moves() {
		whole = max(whole, o.Ledger.ObjectiveMS)
	}
	for _, s := range o.Steps {
		whole = max(whole, s.DoneAt.Sub(zero).Milliseconds())
	}
	x := func(ms int64) float64 {
		return drawLeft + drawWidth*float64(min(max(ms, 0), whole))/float64(whole)
	}
	row := func(name, class string, from, to int64, label string) {
		b := bar{Name: name, Class: class, Y: drawHead + drawRow*len(d.Bars), X: x(from), W: max(x(to)-x(from), 1.5), Label: label}
		b.At = b.X + b.W + 6
		d.Bars = append(d.Bars, b)
	}
	for _, s := range o.Ledger.Stages {
		label := span(s.TookMS)
		if s.SinceMS == 0 {
			label = s.At.Format("15:04:05Z")
		}
		row(s.Name, "stage", s.SinceMS-s.TookMS, s.SinceMS, label)
	}
	for _, s := range o.Steps {
		if s.BegunAt.IsZero() || s.DoneAt.IsZero() {
			continue
		}
		from, to := s.BegunAt.Sub(zero).Milliseconds(), s.DoneAt.Sub(zero).Milliseconds()
		row(record.Clean(leaf(s.Connection), 22), "write", from, to, s.Change()+", "+span(to-from))
	}
	d.Foot = drawHead + drawRow*len(d.Bars)
	d.Height = d.Foot + 20
	unit := scale(whole)
	for ms := int64(0); ms <= whole; ms += unit {
		d.Ticks = append(d.Ticks, tick{x(ms), short(ms)})
	}
	if o.Ledger.ObjectiveMS > 0 && o.moves() {
		d.Objective = &tick{x(o.Ledger.ObjectiveMS), "objective " + short(o.Ledger.ObjectiveMS)}
	}
	return d
}

// scale returns a step of at most ten to a whole, in milliseconds.
func scale(whole int64) int64 {
	for _, unit := range []int64{1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3, 4 * 3600e3} {
		if whole/unit < 10 {
			return unit
		}
	}
	return whole/10 + 1
}

// short renders a tick: "30s", "2m", "2m30s".
func short(ms int64) string {
	m, s := ms/60e3, ms%60e3/1e3
	switch {
	case m == 0:
		return fmt.Sprintf("%ds", s)
	case s == 0:
		return fmt.Sprintf("%dm", m)
	}
	return fmt.Sprintf("%dm%02ds", m, s)
}

// change is one write in the table of weights.
type change struct {
	Connection, Circuit   string
	Before, After         string
	BeforeBar, AfterBar   float64 // lengths of the drawn bars
	During, Ended, Detail string
	Known                 bool // the weight after it was read back
	Attempts              int
	Correlation           string
}

// gateway is the writes of one gateway.
type gateway struct {
	Name, ID string
	Changes  []change
}

// inUse returns the bars of a lever: of the path before and after.
func inUse(cut bool, full float64) (before, after float64) {
	if cut {
		return full, 0
	}
	return 0, full
}

// changes groups an operation's writes by gateway, in their order.
func (o Operation) changes() []gateway {
	const full = 90
	top := int32(1)
	for _, s := range o.Steps {
		top = max(top, s.From, s.To)
	}
	var out []gateway
	for _, s := range o.Steps {
		i := slices.IndexFunc(out, func(g gateway) bool { return g.ID == s.Gateway })
		if i < 0 {
			i, out = len(out), append(out, gateway{Name: leaf(s.Gateway), ID: s.Gateway})
		}
		c := change{
			Connection: leaf(s.Connection), Circuit: s.Circuit, Attempts: s.Attempts, Correlation: s.Correlation,
			BeforeBar: full * float64(s.From) / float64(top), AfterBar: full * float64(s.To) / float64(top),
		}
		c.Before, c.After = s.ends()
		if s.Lever != "" { // a path is in use or it is cut: the whole bar or none
			c.BeforeBar, c.AfterBar = inUse(s.Cut, full)
		}
		switch s.Phase {
		case executor.Done:
			c.Known, c.Ended = true, "read back "+stamp(s.DoneAt)
		case executor.Failed:
			c.Ended, c.Detail = "FAILED", trouble(s)
		case executor.Waiting:
			c.Ended, c.Detail = "not begun", trouble(s)
		case executor.Intent, executor.Sent, executor.Check:
			c.Ended, c.Detail = "not read back yet", trouble(s)
		}
		if s.Lever != "" {
			c.Ended = s.Change() + ", " + c.Ended
		}
		switch {
		case s.BegunAt.IsZero() && s.Attempts == 0:
			c.During = "nothing was sent"
		case s.Lever != "":
			from, to := s.ends()
			c.During = from + " or " + to
		case s.BegunAt.IsZero():
			c.During = fmt.Sprintf("%d or %d; no request was seen accepted", s.From, s.To)
		case s.DoneAt.IsZero():
			c.During = fmt.Sprintf("%d or %d from %s on", s.From, s.To, s.BegunAt.UTC().Format("15:04:05Z"))
		default:
			c.During = fmt.Sprintf("%d or %d for %s, from %s", s.From, s.To, span(s.DoneAt.Sub(s.BegunAt).Milliseconds()), s.BegunAt.UTC().Format("15:04:05Z"))
		}
		out[i].Changes = append(out[i].Changes, c)
	}
	return out
}

// trouble says what went wrong with a write, and what to do about it.
func trouble(s Step) string {
	if s.Hint == "" {
		return s.Error
	}
	return strings.TrimPrefix(s.Error+"; what to do: "+s.Hint, "; ")
}

// leaf returns the name at the end of a resource ID.
func leaf(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// headline says how an operation went, in one word for the eye and one sentence.
func headline(o Operation) (class, sentence string) {
	to := orNone(o.To)
	switch o.Result {
	case record.Proven:
		class = "good"
		if o.Ledger.Met != nil && !*o.Ledger.Met {
			class = "fair" // it worked, too late
		}
		return class, "Traffic moved to " + to + ": every weight was read back, every gateway showed its routes, and traffic was seen."
	case record.AppliedOK:
		if !o.moves() {
			return "good", "Every weight was read back. This operation moves no traffic."
		}
		return "fair", "Every weight was read back, but routes or traffic on " + to + " could not be seen. It is not proven that traffic moved."
	case record.FailedOp:
		return "bad", "At least one write did not land. See below which."
	case record.Cancelled:
		return "fair", "It was cancelled: by a person, or because nobody approved in time."
	case record.Overtaken:
		return "fair", "A newer decision took over before this one had ended."
	}
	return "fair", "It has not ended; this report tells of it as it stands."
}

// HTML returns the report as one page that needs nothing else: no script, no font, no
// image and no style from anywhere. It prints in black and white.
func (e Evidence) HTML() ([]byte, error) {
	o := e.Operation
	class, sentence := headline(o)
	objective := ""
	switch {
	case !o.moves(): // it recovers nothing
	case o.Ledger.Met != nil && *o.Ledger.Met:
		objective = "within the objective of " + span(o.Ledger.ObjectiveMS)
	case o.Ledger.Met != nil:
		objective = "BEYOND the objective of " + span(o.Ledger.ObjectiveMS)
	case o.Ledger.ObjectiveMS > 0:
		objective = "not judged against the objective of " + span(o.Ledger.ObjectiveMS) + ": traffic was not seen"
	}
	var b bytes.Buffer
	err := pageTemplate().Execute(&b, map[string]any{
		"E": e, "O": o, "Class": class, "Sentence": sentence, "Title": title(string(o.Kind)) + " of " + o.Group, "Outcome": outcome(o),
		"Recovery": span(o.Ledger.RecoveryMS), "Objective": objective, "Drawing": draw(o), "Gateways": o.changes(), "OnPremises": onPremises(o),
		"Moves": o.moves(),
	})
	if err != nil {
		return nil, &fault.Error{Op: "write report", Target: o.ID, Kind: fault.Internal, Err: err}
	}
	return b.Bytes(), nil
}

// pageTemplate is the page, parsed when one is asked for and not at every start of the
// program. Texts come from events and from people: what could hide or turn text around
// is taken out before the template escapes the rest.
func pageTemplate() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{
		"plain":  func(s string) string { return record.Clean(s, 4096) },
		"names":  func(s []string) string { return record.Clean(orNone(s), 4096) },
		"listed": func(s []string) string { return record.Clean(strings.Join(s, ", "), 4096) },
		"stamp":  stamp,
		"span":   span,
		"asks":   func(r policy.Reason) string { return Describe(r).Asks },
		"clock":  func(t time.Time) string { return t.UTC().Format("15:04:05Z") },
		"add":    func(a, b int) int { return a + b },
		"coord":  func(x float64) string { return fmt.Sprintf("%.1f", x) },
	}).Parse(pageText))
}
