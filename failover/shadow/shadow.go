// Package shadow grades decisions afterwards, from what the circuit then did: every
// move that was proposed and not made, and every move that was made. Its only source
// is the journal, so that the same journal always gives the same grades.
//
//	verdict names a move ──▶ circuit gets well, or traffic leaves it ──▶ grade
//	       └── guards that said no: each is charged its share of the wait
//
// The package is pure.
package shadow

import (
	"slices"
	"strings"
	"time"

	"erfailover/failover/record"
)

// Grade says what a move was worth, or would have been.
type Grade string

const (
	Saved   Grade = "saved"    // the move was not made, and would have ended the trouble earlier
	Right   Grade = "right"    // the move was made, by the automation or by a person, and the trouble lasted
	Harmful Grade = "harmful"  // the circuit recovered alone, before the move was or would have been done
	TooLate Grade = "too-late" // the trouble was worth a move, and the verdict came too late for one
	Open    Grade = "open"     // it cannot be said yet
)

// Rule holds the constants of the arithmetic. DefaultRule is what is used where
// nothing was measured.
type Rule struct {
	Takes time.Duration // from a verdict to traffic on the new circuit
	Worth time.Duration // trouble shorter than this is not worth a move
	Least time.Duration // a gain below this counts as none
}

// DefaultRule returns 1 min for a move, 5 min of trouble to be worth one, and 1 min
// as the least gain.
func DefaultRule() Rule {
	return Rule{Takes: time.Minute, Worth: 5 * time.Minute, Least: time.Minute}
}

// Input is what one group's grades are made of.
type Input struct {
	Group    string
	Now      time.Time
	Rule     Rule
	Entries  []record.Entry // of the group's stream, oldest first
	Circuits []record.Entry // of its circuits' streams, oldest first within each
}

// Hold is one span in which the same guards said no.
type Hold struct {
	Codes []string  `json:"codes"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to,omitzero"` // zero: it goes on
}

// Case is one spell of trouble for which a move was named.
type Case struct {
	Group   string    `json:"group"`
	From    []string  `json:"from"`              // circuits that were bad
	To      []string  `json:"to,omitempty"`      // where the traffic would have gone, or went
	BadAt   time.Time `json:"bad_at"`            // when the group first believed bad of one of them
	NamedAt time.Time `json:"named_at"`          // when a verdict first named a move
	DueAt   time.Time `json:"due_at,omitzero"`   // when nothing but the mode held it; zero: that never came
	MovedAt time.Time `json:"moved_at,omitzero"` // when a move was decided
	DoneAt  time.Time `json:"done_at,omitzero"`  // when its weights were read back
	MovedBy string    `json:"moved_by,omitzero"` // the person who ordered it; "" for the automation
	BackAt  time.Time `json:"back_at,omitzero"`  // when the circuits carried again
	Silent  bool      `json:"silent,omitzero"`   // its sources fell silent, so nobody knows when it was over
	Held    []Hold    `json:"held,omitempty"`
	Why     []string  `json:"why,omitempty"` // reasons of the move that was made
	Grade   Grade     `json:"grade"`
	GainMS  int64     `json:"gain_ms"` // saved: that it would have saved; right: that it saved
	Says    string    `json:"says"`    // one sentence for a person

	operation string
	over      bool
	closed    time.Time // when a verdict no longer named the trouble
}

// Codes of journal entries that are read here.
const (
	codeVerdict = "verdict.changed"
	codeDecided = "operation.decided"
	codeApplied = "operation.applied"
	codeState   = "circuit.state"
	codeSignal  = "signal.noted"
)

// Cases finds the spells of trouble of one group and grades each, oldest first.
func Cases(in Input) []Case {
	var out []Case
	at := func(i int) *Case { return &out[i] }
	open := -1
	for _, e := range in.Entries {
		switch {
		case e.Code == codeVerdict && e.Actor == "":
			out, open = verdict(in, out, open, e)
		case e.Code == codeDecided && moves(e.Fields["kind"]) && open >= 0 && overlap(names(e.Fields["from"]), at(open).From):
			c := at(open)
			if c.MovedAt.IsZero() {
				c.MovedAt, c.MovedBy, c.operation, c.Why, c.To = e.At, e.Actor, e.Operation, e.Reasons, names(e.Fields["to"])
				c.release(e.At)
			}
		case e.Code == codeApplied:
			for i := range out {
				if out[i].operation == e.Operation && e.Operation != "" {
					out[i].DoneAt = e.At
				}
			}
		}
	}
	for i := range out {
		out[i].ending(in)
		out[i].judge(in)
	}
	return out
}

// moves reports whether an operation of that kind takes traffic off a circuit.
func moves(kind string) bool {
	return kind == "failover" || kind == "switchover" || kind == "evacuate"
}

// verdict takes one verdict of the automation in.
func verdict(in Input, out []Case, open int, e record.Entry) ([]Case, int) {
	from := names(e.Fields["from"])
	trouble := e.Fields["kind"] == "failover" && len(from) > 0
	if open >= 0 && (!trouble || !overlap(from, out[open].From)) {
		out[open].over, out[open].closed = true, e.At
		out[open].release(e.At)
		open = -1
	}
	if !trouble {
		return out, open
	}
	if open < 0 {
		out = append(out, Case{Group: in.Group, From: from, NamedAt: e.At})
		open = len(out) - 1
	}
	c := &out[open]
	c.release(e.At)
	if to := names(e.Fields["to"]); len(to) > 0 && c.MovedAt.IsZero() {
		c.To = to
	}
	due := e.Fields["action"] == "move" || slices.Equal(e.Reasons, []string{"observe-only"})
	if due && c.DueAt.IsZero() {
		c.DueAt = e.At
	}
	if e.Fields["action"] == "hold" && c.MovedAt.IsZero() {
		c.Held = append(c.Held, Hold{Codes: guardsOf(e.Reasons), From: e.At})
	}
	return out, open
}

// guardsOf returns the guards that said no, each once. The mode is one of them only
// when it stands alone: a move that a guard holds would not be made in another mode
// either.
func guardsOf(codes []string) []string {
	out := slices.Clone(codes)
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > 1 {
		out = slices.DeleteFunc(out, func(c string) bool { return c == "observe-only" })
	}
	return out
}

// release ends the hold that goes on.
func (c *Case) release(at time.Time) {
	if n := len(c.Held); n > 0 && c.Held[n-1].To.IsZero() {
		c.Held[n-1].To = at
	}
}

// ending finds when the circuits went bad and when they carried again.
func (c *Case) ending(in Input) {
	c.BadAt = c.NamedAt
	for _, name := range c.From {
		began, back, silent := spell(in, name, c.NamedAt)
		if !began.IsZero() && began.Before(c.BadAt) {
			c.BadAt = began
		}
		c.Silent = c.Silent || silent
		switch {
		case back.IsZero():
			c.BackAt = time.Time{}
			if c.over && c.MovedAt.IsZero() && !silent {
				c.BackAt = c.closed // no state was journaled: the verdict tells it
			}
			return
		case back.After(c.BackAt):
			c.BackAt = back
		}
	}
}

// spell returns when a circuit's bad spell that is on at an instant began, and when
// it carried again; silent says that it became unknown first.
func spell(in Input, circuit string, at time.Time) (began, back time.Time, silent bool) {
	for _, e := range in.Circuits {
		if e.Code != codeState || e.Circuit != circuit || e.Group != in.Group {
			continue
		}
		to, from := e.Fields["to"], e.Fields["from"]
		switch {
		case !e.At.After(at):
			if troubled(to) && !troubled(from) {
				began = e.At
			}
		case to == "recovering" || to == "healthy" || (to == "degraded" && from != "degraded"):
			return began, e.At, false
		case to == "unknown":
			return began, time.Time{}, true
		}
	}
	return began, time.Time{}, false
}

func troubled(state string) bool { return state == "suspect" || state == "down" || state == "degraded" }

// names splits a list as the journal writes it.
func names(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
