package replay

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/failover/shadow"
)

// tolerance is how much two configurations may differ in time and still have decided
// the same: one beat of the timer, and one look at a write.
const tolerance = 20 * time.Second

// Change says in which way a decision differs.
type Change string

const (
	MovesNow    Change = "moves"           // it was held, and moves under the new one
	HeldNow     Change = "is held"         // it moved, and is held under the new one
	Elsewhere   Change = "moves elsewhere" //
	Earlier     Change = "moves earlier"   //
	Later       Change = "moves later"     //
	HomeEarlier Change = "comes home earlier"
	HomeLater   Change = "comes home later"
	OtherGuard  Change = "is held by another guard"
	NewTrouble  Change = "is trouble only under the new one"
	NoTrouble   Change = "is no trouble any more"
	AwayOld     Change = "hits the traffic only under the new one" // under the old one it was elsewhere
	AwayNew     Change = "finds the traffic elsewhere"             // under the new one
)

// Flip is one decision that differs. One of the two is nil when only the other
// configuration saw trouble at all.
type Flip struct {
	Group   string    `json:"group"`
	Circuit []string  `json:"circuits"`
	At      time.Time `json:"at"` // when it went bad
	Changes []Change  `json:"changes"`
	Old     *Decision `json:"old,omitempty"`
	New     *Decision `json:"new,omitempty"`
	Away    []string  `json:"away,omitempty"` // where the traffic was under the one that saw no trouble, when not at home
}

// Difference is what two configurations decide differently about one recording.
type Difference struct {
	Old   Result `json:"old"`
	New   Result `json:"new"`
	Flips []Flip `json:"flips"` // by time
	Same  int    `json:"same"`  // decisions that do not differ
}

// Compare holds two results against each other: spells of trouble of one group and
// circuit that overlap in time are the same trouble.
func Compare(old, proposed Result) Difference {
	d := Difference{Old: old, New: proposed, Flips: []Flip{}}
	used := make([]bool, len(proposed.Decisions))
	for i := range old.Decisions {
		a := &old.Decisions[i]
		j := slices.IndexFunc(proposed.Decisions, func(b Decision) bool { return meets(*a, b, old.To) })
		for j >= 0 && used[j] {
			k := slices.IndexFunc(proposed.Decisions[j+1:], func(b Decision) bool { return meets(*a, b, old.To) })
			if k < 0 {
				j = -1
				break
			}
			j += k + 1
		}
		if j < 0 {
			f := Flip{Group: a.Group, Circuit: a.From, At: a.BadAt, Changes: []Change{gone(*a)}, Old: a, Away: away(proposed, *a)}
			if f.Away != nil {
				f.Changes[0] = AwayNew
			}
			d.Flips = append(d.Flips, f)
			continue
		}
		used[j] = true
		b := &proposed.Decisions[j]
		if changes := changed(*a, *b); len(changes) > 0 {
			d.Flips = append(d.Flips, Flip{Group: a.Group, Circuit: a.From, At: earliest(a.BadAt, b.BadAt), Changes: changes, Old: a, New: b})
			continue
		}
		d.Same++
	}
	for j := range proposed.Decisions {
		if b := &proposed.Decisions[j]; !used[j] {
			f := Flip{Group: b.Group, Circuit: b.From, At: b.BadAt, Changes: []Change{came(*b)}, New: b, Away: away(old, *b)}
			if f.Away != nil {
				f.Changes[0] = AwayOld
			}
			d.Flips = append(d.Flips, f)
		}
	}
	slices.SortStableFunc(d.Flips, func(a, b Flip) int { return a.At.Compare(b.At) })
	return d
}

// away returns where a result had the traffic of a group when something else went
// bad; nil when it was at home.
func away(r Result, d Decision) []string {
	for _, o := range r.Decisions {
		if o.Group == d.Group && !o.MovedAt.IsZero() && !o.MovedAt.After(d.NamedAt) && (o.HomeAt.IsZero() || o.HomeAt.After(d.NamedAt)) {
			return o.To
		}
	}
	return nil
}

func gone(a Decision) Change {
	if !a.MovedAt.IsZero() {
		return HeldNow
	}
	return NoTrouble
}

func came(b Decision) Change {
	if !b.MovedAt.IsZero() {
		return MovesNow
	}
	return NewTrouble
}

// meets reports whether two decisions are about the same trouble.
func meets(a, b Decision, end time.Time) bool {
	if a.Group != b.Group || !slices.ContainsFunc(a.From, func(c string) bool { return slices.Contains(b.From, c) }) {
		return false
	}
	return !a.BadAt.After(over(b, end)) && !b.BadAt.After(over(a, end))
}

// over returns when a trouble was over.
func over(d Decision, end time.Time) time.Time {
	if d.BackAt.IsZero() {
		return end
	}
	return d.BackAt
}

// changed says in which ways two decisions about the same trouble differ.
func changed(a, b Decision) []Change {
	moved, moves := !a.MovedAt.IsZero(), !b.MovedAt.IsZero()
	switch {
	case moved && !moves:
		return []Change{HeldNow}
	case !moved && moves:
		return []Change{MovesNow}
	case !moved && !moves:
		if !slices.Equal(lastGuards(a), lastGuards(b)) {
			return []Change{OtherGuard}
		}
		return nil
	}
	var out []Change
	if !slices.Equal(a.To, b.To) {
		out = append(out, Elsewhere)
	}
	switch gap := b.MovedAt.Sub(a.MovedAt); {
	case gap <= -tolerance:
		out = append(out, Earlier)
	case gap >= tolerance:
		out = append(out, Later)
	}
	switch {
	case a.HomeAt.IsZero() && b.HomeAt.IsZero():
	case b.HomeAt.IsZero() || (!a.HomeAt.IsZero() && b.HomeAt.Sub(a.HomeAt) >= time.Minute):
		out = append(out, HomeLater)
	case a.HomeAt.IsZero() || a.HomeAt.Sub(b.HomeAt) >= time.Minute:
		out = append(out, HomeEarlier)
	}
	return out
}

func lastGuards(d Decision) []string {
	if len(d.Held) == 0 {
		return nil
	}
	return d.Held[len(d.Held)-1].Codes
}

// Text tells the difference to a network engineer: the flips, then the sums.
func (d Difference) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s to %s UTC, %d messages, %d signals\n", d.Old.From.Format("Mon 2006-01-02 15:04"), d.Old.To.Format("Mon 2006-01-02 15:04"), d.Old.Messages, d.Old.Signals)
	fmt.Fprintf(&b, "old: %s\nnew: %s\n\n", d.Old.Name, d.New.Name)
	switch total := len(d.Flips) + d.Same; {
	case total == 0:
		b.WriteString("Neither sees any trouble: nothing was decided.\n")
	case len(d.Flips) == 0:
		fmt.Fprintf(&b, "The same: all %d decisions stand.\n", total)
	default:
		fmt.Fprintf(&b, "%d of %d decisions differ:\n", len(d.Flips), total)
	}
	for _, f := range d.Flips {
		words := make([]string, len(f.Changes))
		for i, c := range f.Changes {
			words[i] = string(c)
		}
		fmt.Fprintf(&b, "\n%s  %s: %s\n", f.At.UTC().Format("Mon 2006-01-02 15:04:05"), f.Group, strings.Join(f.Circuit, ", ")+" "+strings.Join(words, ", "))
		fmt.Fprintf(&b, "    old  %s\n    new  %s\n", f.sentence(f.Old), f.sentence(f.New))
		if lost := lostOf(f.New) - lostOf(f.Old); lost >= 1000 || lost <= -1000 {
			word := "more"
			if lost < 0 {
				word, lost = "less", -lost
			}
			fmt.Fprintf(&b, "    =    %s %s of gateways' traffic on a circuit that somebody called down\n", shadow.Span(time.Duration(lost)*time.Millisecond), word)
		}
	}
	b.WriteString("\n" + d.sums())
	return b.String()
}

func lostOf(d *Decision) int64 {
	if d == nil {
		return 0
	}
	return d.LostMS
}

// sentence tells one side of a flip.
func (f Flip) sentence(d *Decision) string {
	switch {
	case d != nil:
		return d.Sentence()
	case f.Away != nil:
		return "traffic was on " + strings.Join(f.Away, ", ") + ": nothing to decide"
	}
	return "no trouble: nothing to decide"
}

// Sentence tells one decision.
func (d *Decision) Sentence() string {
	var s string
	switch {
	case !d.MovedAt.IsZero():
		s = fmt.Sprintf("moved to %s %s after it went bad", strings.Join(d.To, ", "), shadow.Span(d.MovedAt.Sub(d.BadAt)))
		if d.HomeAt.IsZero() {
			s += "; not home again"
		} else {
			s += "; home again after " + shadow.Span(d.HomeAt.Sub(d.MovedAt))
		}
	case d.Waited:
		s = fmt.Sprintf("asked for approval %s after it went bad; nobody approves in a replay", shadow.Span(d.WaitedAt.Sub(d.BadAt)))
	default:
		s = "held by " + strings.Join(lastGuards(*d), ", ")
		if !d.BackAt.IsZero() {
			s += " until it was back, after " + shadow.Span(d.BackAt.Sub(d.BadAt))
		}
	}
	if d.Grade != shadow.Open {
		s += " [" + string(d.Grade) + "]"
	}
	return s
}

// sums puts the two side by side.
func (d Difference) sums() string {
	var b strings.Builder
	ms := func(n int64) string { return shadow.Span(time.Duration(n) * time.Millisecond) }
	count := func(n int) string { return fmt.Sprint(n) }
	fmt.Fprintf(&b, "%-42s %12s %12s\n", "", "old", "new")
	for _, l := range []struct{ what, old, proposed string }{
		{"spells of trouble that named a move", count(len(d.Old.Decisions)), count(len(d.New.Decisions))},
		{"moves away", count(d.Old.Moves), count(d.New.Moves)},
		{"of them harmful: it recovered alone", count(d.Old.Harmful), count(d.New.Harmful)},
		{"moves home", count(d.Old.Home), count(d.New.Home)},
		{"writes", count(d.Old.Writes), count(d.New.Writes)},
		{"gateways' time on a circuit called down", ms(d.Old.BadMS), ms(d.New.BadMS)},
	} {
		fmt.Fprintf(&b, "%-42s %12s %12s\n", l.what, l.old, l.proposed)
	}
	return b.String()
}

// Text tells one result to a network engineer.
func (r Result) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s to %s UTC, %d messages, %d signals, %d foreign, %d broken, %d about resources that are not configured\n",
		r.From.Format("Mon 2006-01-02 15:04"), r.To.Format("Mon 2006-01-02 15:04"), r.Messages, r.Signals, r.Foreign, r.Broken, r.Unknown)
	fmt.Fprintf(&b, "under %s\n", r.Name)
	if len(r.Decisions) == 0 {
		b.WriteString("\nNo trouble: nothing was decided.\n")
	}
	for i := range r.Decisions {
		d := &r.Decisions[i]
		fmt.Fprintf(&b, "\n%s  %s: %s went bad\n    %s\n    %s\n", d.BadAt.UTC().Format("Mon 2006-01-02 15:04:05"), d.Group, strings.Join(d.From, ", "), d.Sentence(), d.Says)
	}
	fmt.Fprintf(&b, "\n%d moves away, %d of them harmful, %d moves home, %d writes; gateways' time on a circuit called down: %s\n",
		r.Moves, r.Harmful, r.Home, r.Writes, shadow.Span(time.Duration(r.BadMS)*time.Millisecond))
	return b.String()
}
