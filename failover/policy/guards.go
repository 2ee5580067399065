package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/failover/health"
	"erfailover/failover/topology"
)

// afterFailure is the rest after an operation that failed.
const afterFailure = 2 * time.Minute

// guard looks at one thing and says what holds, if anything. It may note in the
// verdict which reads would help.
type guard func(Input, *Verdict) ([]Finding, bool)

// guards is the table of the automation's guards, in the order in which their
// reasons are listed. The candidates' own guards and the late ones follow.
func guards() []guard {
	return []guard{
		killed, paused, observing, blind, running, drilling, intents, drift,
		holdDown, unconfirmed, explained, damped, coolDown, lastFailed, returning,
	}
}

// orderGuards is the table for a person's order. A failover order is a claim that
// the circuit is bad, so it waits for no confirmation; a switchover is planned, so
// it also respects damping. The cool-down holds no order.
func orderGuards(k Kind) []guard {
	base := []guard{killed, observing, running, drilling, intents, drift}
	switch k {
	case KindFailover, KindSettle:
		return base
	case KindSwitchover, KindEvacuate, KindFailback:
		return append(base, held, blind, damped)
	case KindDrill:
		return append(base, held, paused, blind, damped, coolDown, lastFailed, rested)
	}
	return base
}

// rested holds a drill that would begin from anywhere but a healthy home.
func rested(in Input, _ *Verdict) ([]Finding, bool) {
	if !atHome(in) {
		return one(OnStandby, "", "a drill begins at home; traffic is on "+strings.Join(in.History.Active, ", "), time.Time{})
	}
	for _, name := range in.Group.Home() {
		if b := in.View.Circuits[name]; b.State != health.Healthy {
			return one(HoldUp, name, name+" is "+string(b.State)+", not healthy", b.HoldUntil)
		}
	}
	return nil, false
}

func one(code Reason, circuit, text string, until time.Time) ([]Finding, bool) {
	return []Finding{{Code: code, Circuit: circuit, Text: text, Until: until}}, true
}

func killed(in Input, _ *Verdict) ([]Finding, bool) {
	p := in.History.Killed
	if !p.Holds(in.Now) {
		return nil, false
	}
	return one(KillSwitch, "", "the kill switch was set by "+p.By+why(p.Reason), p.Until)
}

func paused(in Input, _ *Verdict) ([]Finding, bool) {
	p := in.History.Paused
	if !p.Holds(in.Now) {
		return nil, false
	}
	return one(Paused, "", "the group was paused by "+p.By+why(p.Reason), p.Until)
}

func why(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func observing(in Input, _ *Verdict) ([]Finding, bool) {
	if in.Rule.Mode != Observe {
		return nil, false
	}
	return one(ObserveOnly, "", "the group is in observe mode: the verdict is recorded and nothing is written", time.Time{})
}

func blind(in Input, v *Verdict) ([]Finding, bool) {
	if !in.View.Blind {
		return nil, false
	}
	v.Reads = append(v.Reads, in.Group.Circuits()...)
	return one(Blind, "", "no circuit of the group has fresh evidence; the last known good weights stay", time.Time{})
}

// running holds while an operation runs, unless its own target has gone down: then
// the newer decision takes over.
func running(in Input, _ *Verdict) ([]Finding, bool) {
	h := in.History
	if h.Awaiting != "" {
		return one(ApprovalAwaited, "", "operation "+h.Awaiting+" waits for approval", h.AwaitingUntil)
	}
	if h.Running == "" {
		return nil, false
	}
	dead := len(h.RunningTo) > 0
	for _, c := range h.RunningTo {
		dead = dead && in.View.Circuits[c].State == health.Down
	}
	if dead {
		return nil, false
	}
	return one(OperationRunning, "", "operation "+h.Running+" has not ended", time.Time{})
}

// drilling holds everything beside a drill but its end: a failover away from a bad
// circuit overtakes it, and an order to go home ends it.
func drilling(in Input, v *Verdict) ([]Finding, bool) {
	if in.History.Drill == "" || in.History.DrillOver || v.Kind == KindFailover || (v.Kind == KindFailback && in.Order != nil) {
		return nil, false
	}
	return one(DrillRunning, "", "drill "+in.History.Drill+" runs in this group", time.Time{})
}

func intents(in Input, _ *Verdict) ([]Finding, bool) {
	if in.History.OldIntents == 0 {
		return nil, false
	}
	return one(IntentOpen, "", fmt.Sprintf("%d older writes may still land; a new decision waits until they are known", in.History.OldIntents), in.History.OldUntil)
}

// lowering holds a plan that lowers weights while any write of ours may still land:
// a late raise would win over weights at rest.
func lowering(in Input, _ *Verdict) ([]Finding, bool) {
	if in.History.Open == 0 || in.History.OldIntents > 0 {
		return nil, false
	}
	return one(IntentOpen, "", fmt.Sprintf("%d writes may still land; weights are lowered when none can", in.History.Open), in.History.OpenUntil)
}

func drift(in Input, _ *Verdict) ([]Finding, bool) {
	if len(in.History.Drift) == 0 || in.Rule.Drift == DriftAccept {
		return nil, false
	}
	names := make([]string, len(in.History.Drift))
	for i, id := range in.History.Drift {
		names[i] = id[strings.LastIndexByte(id, '/')+1:]
	}
	return one(Drifted, "", "others changed the weight of "+strings.Join(names, ", ")+"; accept it or put ours back", time.Time{})
}

func holdDown(in Input, v *Verdict) ([]Finding, bool) {
	return each(in, v.From, func(name string, b health.Belief) (Finding, bool) {
		if b.State != health.Suspect || b.HoldUntil.IsZero() || !b.HoldUntil.After(in.Now) {
			return Finding{}, false
		}
		return Finding{Code: HoldDown, Circuit: name, Until: b.HoldUntil,
			Text: fmt.Sprintf("%s has been bad since %s, not yet for %s", name, clock(b.BadSince), in.Health.HoldDown)}, true
	})
}

func unconfirmed(in Input, v *Verdict) ([]Finding, bool) {
	return each(in, v.From, func(name string, b health.Belief) (Finding, bool) {
		if b.WantsRead && !slices.Contains(v.Reads, name) {
			v.Reads = append(v.Reads, name)
		}
		if !unborne(b) && !b.ReadUntil.After(in.Now) {
			return Finding{}, false
		}
		text := fmt.Sprintf("%d of %d observers say that %s is down", b.Observers, b.Needed, name)
		if !unborne(b) {
			text += "; all of it is Azure's own word, and our own read of its sessions is waited for"
			return Finding{Code: Unconfirmed, Circuit: name, Text: text, Until: b.ReadUntil}, true
		}
		if b.Rebutted {
			text += "; our own read of its sessions says otherwise"
		}
		if m := b.Maintenance; m != nil && !b.Explained && !in.Now.Before(m.Start) && in.Now.Before(orEver(m.End)) {
			text += "; it is in maintenance"
		}
		return Finding{Code: Unconfirmed, Circuit: name, Text: text}, true
	})
}

// unborne reports whether too few observers say that a circuit is down: while it is
// suspect, and also when it went down by Azure's own word, of which a read of ours has
// contradicted a part since.
func unborne(b health.Belief) bool {
	return b.Observers < b.Needed && (b.State == health.Suspect || b.State == health.Down && b.Rebutted && b.Hearsay)
}

func explained(in Input, v *Verdict) ([]Finding, bool) {
	return each(in, v.From, func(name string, b health.Belief) (Finding, bool) {
		switch {
		case b.State == health.Down || !b.Explained:
			return Finding{}, false
		case b.Maintenance != nil:
			return Finding{Code: InMaintenance, Circuit: name, Text: name + " is in maintenance", Until: b.Maintenance.End}, true
		}
		return Finding{Code: UserInitiated, Circuit: name, Text: "the customer's own act explains it"}, true
	})
}

// damped holds repeated moves, never the first one away from a dead circuit.
func damped(in Input, v *Verdict) ([]Finding, bool) {
	h := in.History
	first := h.LastMove.IsZero() || !in.Now.Before(h.LastMove.Add(in.Health.Damping.Max))
	if v.Kind == KindFailover && (first || v.Undo || atHome(in)) {
		return nil, false
	}
	return each(in, v.From, func(name string, b health.Belief) (Finding, bool) {
		return dampedFinding(name, b), b.Damped
	})
}

func dampedFinding(name string, b health.Belief) Finding {
	return Finding{Code: Damped, Circuit: name, Until: b.ReuseAt,
		Text: fmt.Sprintf("%s flaps: penalty %.0f, trusted again at %s if it stays quiet", name, b.Penalty, clock(b.ReuseAt))}
}

// coolDown holds any move that follows another too soon, but for one undo.
func coolDown(in Input, v *Verdict) ([]Finding, bool) {
	end := in.History.LastMove.Add(in.Rule.CoolDown)
	if in.History.LastMove.IsZero() || !in.Now.Before(end) || v.Undo || !in.History.Acked.Before(in.History.LastMove) {
		return nil, false
	}
	return one(CoolDown, "", fmt.Sprintf("the last move ended at %s; acknowledge it to lift the cool-down", clock(in.History.LastMove)), end)
}

// lastFailed holds for a while after an operation that could not be carried out,
// so that a refusing Azure is not asked in a loop.
func lastFailed(in Input, _ *Verdict) ([]Finding, bool) {
	end := in.History.FailedAt.Add(afterFailure)
	if in.History.FailedAt.IsZero() || !in.Now.Before(end) || !in.History.Acked.Before(in.History.FailedAt) {
		return nil, false
	}
	return one(LastFailed, "", "the last operation failed or was called off at "+clock(in.History.FailedAt)+"; it is tried again by itself, or at once by order", end)
}

// each asks about each circuit that would be left and collects what holds. A
// finding about one circuit does not hold a verdict that another one justifies; a
// circuit that a guard of doubt holds justifies nothing, whichever guard it is.
func each(in Input, names []string, ask func(string, health.Belief) (Finding, bool)) ([]Finding, bool) {
	var out []Finding
	for _, name := range names {
		b := in.View.Circuits[name]
		f, held := ask(name, b)
		switch {
		case held:
			out = append(out, f)
		case !doubted(in, b):
			return nil, false
		}
	}
	return out, len(out) > 0
}

// doubted reports whether a circuit's trouble is not beyond doubt: still in its
// hold-down, not confirmed, or explained.
func doubted(in Input, b health.Belief) bool {
	if unborne(b) || b.ReadUntil.After(in.Now) || b.State == health.Suspect && b.HoldUntil.After(in.Now) {
		return true
	}
	return b.State != health.Down && b.Explained
}

// lateGuards look at the chosen target and at the estate.
func lateGuards(in Input, v Verdict) []Finding {
	var out []Finding
	if f, held := weightRange(in); held {
		out = append(out, f)
	}
	if f, held := lastPath(in, v); held {
		out = append(out, f)
	}
	if f, held := blastRadius(in); held && !(v.Kind == KindFailback && in.History.DrillEnds) { // what was begun is ended
		out = append(out, f)
	}
	return out
}

// weightRange holds when base plus epoch would pass Azure's highest weight.
func weightRange(in Input) (Finding, bool) {
	next := int64(in.History.MaxBase) + in.History.Epoch + 1
	if next <= topology.MaxWeight {
		return Finding{}, false
	}
	return Finding{Code: WeightRange, Text: fmt.Sprintf("the raised weight would be %d, above %d; set lower weights at rest", next, topology.MaxWeight)}, true
}

// lastPath holds a move onto a circuit that is believed down, away from one that is
// not: it may carry traffic still.
func lastPath(in Input, v Verdict) (Finding, bool) {
	for _, to := range v.To {
		if in.View.Circuits[to].State != health.Down {
			continue
		}
		for _, from := range v.From {
			if s := in.View.Circuits[from].State; s != health.Down {
				return Finding{Code: LastPath, Circuit: to, Text: to + " is down while " + from + " is " + string(s) + ": the gateways would be left without a usable path"}, true
			}
		}
	}
	return Finding{}, false
}

func blastRadius(in Input) (Finding, bool) {
	l, h := in.Limits, in.History
	if l.OperationsAtOnce > 0 && h.AtOnce >= l.OperationsAtOnce {
		return Finding{Code: BlastRadius, Text: fmt.Sprintf("%d operations run elsewhere, the limit is %d at once", h.AtOnce, l.OperationsAtOnce)}, true
	}
	if l.OperationsPerHour > 0 && h.LastHour >= l.OperationsPerHour {
		return Finding{Code: BlastRadius, Text: fmt.Sprintf("%d operations began in the last hour, the limit is %d", h.LastHour, l.OperationsPerHour)}, true
	}
	return Finding{}, false
}

// clock renders an instant for a person.
func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
