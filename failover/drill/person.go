package drill

import (
	"fmt"
	"slices"
	"time"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Flag is a block that somebody set: no run begins while it is in force.
type Flag struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitzero"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is cleared

	Newer record.Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// maxFlags bounds the blocks of one drill.
const maxFlags = 16

func lapsed(flags []Flag, now time.Time) []Flag {
	return slices.DeleteFunc(slices.Clone(flags), func(f Flag) bool { return !f.Until.IsZero() && !now.Before(f.Until) })
}

// Ask is what a person says with an order about a drill.
type Ask struct {
	By          string
	Reason      string
	Key         string        // idempotency key; the same key is the same order
	Accelerated bool          // run: no notice, and a hold of a minute at most
	In          time.Duration // run: notice until the start
	Overrides   []string      // run: codes to go past, by name
	Run         string        // stop: the run meant; "" for the one that is on
	Start       time.Time     // cancel: the start meant; zero for the next one
	Until       time.Time     // block: when it ends by itself
}

func refuse(name, hint, format string, args ...any) error {
	return &fault.Error{Op: "order drill", Target: name, Kind: fault.Refused, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// Start orders a run outside the calendar. The checks are asked when it is due.
func Start(d Document, in Input, ask Ask) (Document, error) {
	if Running(d) || (d.Phase == Announced && d.By != "") {
		if ask.Key != "" && ask.Key == d.Key {
			return d, nil
		}
		return d, refuse(in.Spec.Name, "wait for its end, or stop it: erfailover drill stop "+in.Spec.Name, "drill %s runs already (%s)", in.Spec.Name, d.Phase)
	}
	for _, o := range ask.Overrides {
		if !Code(o).Overridable() {
			return d, &fault.Error{Op: "order drill", Target: in.Spec.Name, Kind: fault.Invalid, Hint: "drill-blackout, drill-hours, drill-calendar, drill-signal and drill-last can be overridden", Err: fmt.Errorf("%q cannot be overridden", o)}
		}
	}
	d.Schema, d.Name, d.Next = record.Schema, in.Spec.Name, in.Now.Add(ask.In)
	d.Run = Run{By: ask.By, Reason: ask.Reason, Key: ask.Key, Accelerated: ask.Accelerated, Overrides: ask.Overrides}
	note(&d, in, "order", "a run is ordered by "+ask.By+because(ask.Reason))
	announce(&d, in)
	return d, nil
}

// Stop ends a run at once: what is away goes home. A run that has not moved yet never
// does.
func Stop(d Document, in Input, ask Ask) (Document, error) {
	switch {
	case !Running(d):
		return d, refuse(in.Spec.Name, "to call off the next one: erfailover drill cancel "+in.Spec.Name, "drill %s does not run", in.Spec.Name)
	case ask.Run != "" && ask.Run != d.ID:
		return d, refuse(in.Spec.Name, "erfailover drill show "+in.Spec.Name+" names the one that is on", "run %s is over", ask.Run)
	case d.Early != "":
		return d, nil // it goes home already
	}
	d.Early, d.Why = Stopped, "stopped by "+ask.By+because(ask.Reason)
	note(&d, in, "stop", d.Why)
	return d, nil
}

// Cancel calls the next start off. It never begins; the one after it is planned.
func Cancel(d Document, in Input, ask Ask) (Document, error) {
	switch {
	case Running(d):
		return d, refuse(in.Spec.Name, "it has begun: erfailover drill stop "+in.Spec.Name, "drill %s runs already (%s)", in.Spec.Name, d.Phase)
	case !ask.Start.IsZero() && !ask.Start.Equal(d.Next) && ask.Start.Equal(d.Skipped):
		return d, nil // called off before
	case !ask.Start.IsZero() && !ask.Start.Equal(d.Next):
		return d, refuse(in.Spec.Name, "erfailover drill show "+in.Spec.Name+" tells the next start", "the next start is %s, not %s", stamp(d.Next), stamp(ask.Start))
	case d.Next.IsZero():
		return d, refuse(in.Spec.Name, "erfailover drill list tells which drills are planned", "drill %s has no next start", in.Spec.Name)
	}
	d.Schema, d.Name, d.Skipped = record.Schema, in.Spec.Name, d.Next
	o := Outcome{Kind: in.Spec.Kind, Result: Cancelled, Ended: in.Now, By: ask.By, Why: "the start of " + stamp(d.Next) + " was called off by " + ask.By + because(ask.Reason)}
	d.History = append([]Outcome{o}, d.History...)
	d.History = d.History[:min(len(d.History), keptHistory)]
	note(&d, in, "cancel", o.Why)
	d.Phase, d.AnnouncedAt, d.Run = Idle, time.Time{}, Run{}
	d.Next = in.Spec.Calendar.Next(d.Skipped)
	return d, nil
}

// Block keeps runs from beginning, until a time or until it is cleared. Who blocks
// again changes their own block.
func Block(d Document, in Input, ask Ask) (Document, error) {
	d.Flags = slices.DeleteFunc(lapsed(d.Flags, in.Now), func(f Flag) bool { return f.By == ask.By })
	if len(d.Flags) >= maxFlags {
		return d, refuse(in.Spec.Name, "clear one", "drill %s has %d blocks already", in.Spec.Name, maxFlags)
	}
	d.Schema, d.Name = record.Schema, in.Spec.Name
	d.Flags = append(d.Flags, Flag{By: ask.By, Reason: ask.Reason, At: in.Now, Until: ask.Until})
	note(&d, in, "block", "runs are blocked by "+ask.By+because(ask.Reason))
	return d, nil
}

// Clear takes back the blocks of one source.
func Clear(d Document, in Input, ask Ask) (Document, error) {
	left := slices.DeleteFunc(lapsed(d.Flags, in.Now), func(f Flag) bool { return f.By == ask.By })
	if len(left) == len(d.Flags) {
		return d, nil
	}
	d.Flags = left
	note(&d, in, "clear", ask.By+" no longer blocks runs")
	return d, nil
}
