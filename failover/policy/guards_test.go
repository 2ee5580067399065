package policy

import (
	"slices"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/topology"
)

// limit is one guard alone: what sets it off, and the nearest input that does not.
// Without an order it is the automation's own verdict.
type limit struct {
	code   Reason
	from   func() Input
	holds  func(*Input) // just inside
	lets   func(*Input) // just outside; nil where there is no limit
	order  *events.Order
	broken bool // overriding needs break-glass
}

func change(name string, f func(*health.Belief)) func(*Input) {
	return func(in *Input) { b := in.View.Circuits[name]; f(&b); in.View.Circuits[name] = b }
}

func past(f func(*History)) func(*Input) { return func(in *Input) { f(&in.History) } }

// alone makes chicago the only candidate.
func alone() Input {
	in := outage()
	in.Group.Tiers = [][]string{{"ashburn"}, {"chicago"}}
	return in
}

// moved is an outage of the standby, long after the move to it; ashburn is proven.
func moved() Input {
	in := away()
	in.View.Circuits["chicago"] = believed("chicago", health.Down)
	return in
}

func suspected() Input {
	in := calm()
	b := believed("ashburn", health.Suspect)
	b.Observers, b.HoldUntil = 2, now.Add(-time.Second)
	in.View.Circuits["ashburn"] = b
	return in
}

func settling() Input {
	in := calm()
	in.History.Unsettled, in.History.QuietSince = true, now.Add(-time.Hour)
	return in
}

func circuit(name string, f func(*topology.Circuit)) func(*Input) {
	return func(in *Input) {
		est := *in.Estate
		est.Circuits = slices.Clone(est.Circuits)
		for i := range est.Circuits {
			if est.Circuits[i].Name == name {
				f(&est.Circuits[i])
			}
		}
		in.Estate = &est
	}
}

func failover() *events.Order { return &events.Order{Verb: events.OrderFailover, By: "ana"} }
func goHome() *events.Order   { return &events.Order{Verb: events.OrderFailback, By: "ana"} }

func limits() []limit {
	stop := &Pause{By: "ana", At: now.Add(-time.Hour), Until: now.Add(time.Second)}
	ended := &Pause{By: "ana", At: now.Add(-time.Hour), Until: now}
	window := func(from, to time.Duration) func(*Input) {
		return func(in *Input) {
			w := Window{From: from, To: to, Zone: time.UTC}
			w.Days[time.Monday] = true
			in.Rule.Failback.Windows = []Window{w}
		}
	}
	return []limit{
		{code: KillSwitch, from: outage, holds: past(func(h *History) { h.Killed = stop }), lets: past(func(h *History) { h.Killed = ended })},
		{code: KillSwitch, from: outage, order: failover(), holds: past(func(h *History) { h.Killed = stop }), lets: past(func(h *History) { h.Killed = ended })},
		{code: Paused, from: outage, holds: past(func(h *History) { h.Paused = stop }), lets: past(func(h *History) { h.Paused = ended })},
		{code: ObserveOnly, from: outage, order: failover(), holds: func(in *Input) { in.Rule.Mode = Observe }, lets: func(in *Input) { in.Rule.Mode = Approve }},
		{code: Blind, from: outage, holds: func(in *Input) { in.View.Blind = true }},
		{code: ApprovalAwaited, from: outage, holds: past(func(h *History) { h.Awaiting = "op-1" })},
		{code: OperationRunning, from: outage, order: failover(), holds: past(func(h *History) { h.Running, h.RunningTo = "op-1", []string{"dallas"} })},
		{code: OperationRunning, from: outage, holds: func(in *Input) {
			in.View.Circuits["chicago"] = believed("chicago", health.Suspect)
			in.History.Running, in.History.RunningTo = "op-1", []string{"chicago"}
		}, lets: func(in *Input) {
			in.View.Circuits["chicago"] = believed("chicago", health.Down)
			in.History.Running, in.History.RunningTo = "op-1", []string{"chicago"}
		}},
		{code: DrillRunning, from: away, holds: past(func(h *History) { h.Drill = "op-1" }), lets: past(func(h *History) { h.Drill, h.DrillOver = "op-1", true })},
		{code: IntentOpen, from: outage, order: failover(), holds: past(func(h *History) { h.OldIntents, h.OldUntil = 1, now.Add(time.Minute) }), lets: past(func(h *History) { h.Open = 1 })},
		{code: IntentOpen, from: settling, holds: past(func(h *History) { h.Open = 1 })},
		{code: Drifted, from: outage, order: failover(), holds: past(func(h *History) { h.Drift = []string{"/gw1-chicago"} }),
			lets: func(in *Input) { in.History.Drift, in.Rule.Drift = []string{"/gw1-chicago"}, DriftAccept }},
		{code: HoldDown, from: suspected, holds: change("ashburn", func(b *health.Belief) { b.HoldUntil = now.Add(1) }), lets: change("ashburn", func(b *health.Belief) { b.HoldUntil = now })},
		{code: Unconfirmed, from: suspected, holds: change("ashburn", func(b *health.Belief) { b.Observers = 1 }), lets: change("ashburn", func(b *health.Belief) { b.Observers = 2 })},
		{code: Unconfirmed, from: suspected, holds: change("ashburn", func(b *health.Belief) { b.ReadUntil = now.Add(1) }), lets: change("ashburn", func(b *health.Belief) { b.ReadUntil = now })},
		{code: Unconfirmed, from: outage, holds: change("ashburn", func(b *health.Belief) { b.Observers, b.Rebutted, b.Hearsay = 1, true, true }),
			lets: change("ashburn", func(b *health.Belief) { b.Observers, b.Rebutted = 1, true })},
		{code: Unconfirmed, from: outage, holds: change("ashburn", func(b *health.Belief) { b.Observers, b.Rebutted, b.Hearsay = 1, true, true }),
			lets: change("ashburn", func(b *health.Belief) { b.Observers, b.Hearsay = 1, true })},
		{code: InMaintenance, from: suspected, holds: change("ashburn", func(b *health.Belief) {
			b.Explained, b.Maintenance = true, &events.Window{Start: now, End: now.Add(time.Hour)}
		})},
		{code: UserInitiated, from: suspected, holds: change("ashburn", func(b *health.Belief) { b.Explained = true })},
		{code: Damped, from: moved, holds: change("chicago", func(b *health.Belief) { b.Damped = true }),
			lets: func(in *Input) {
				change("chicago", func(b *health.Belief) { b.Damped = true })(in)
				in.History.LastMove = now.Add(-in.Health.Damping.Max)
			}},
		{code: Damped, from: calm, order: &events.Order{Verb: events.OrderSwitchover, By: "ana"}, holds: change("ashburn", func(b *health.Belief) { b.Damped = true })},
		{code: CoolDown, from: moved, holds: past(func(h *History) { h.LastMove, h.Undone = now.Add(-30*time.Minute+1), true }), lets: past(func(h *History) { h.LastMove, h.Undone = now.Add(-30*time.Minute), true })},
		{code: LastFailed, from: outage, holds: past(func(h *History) { h.FailedAt = now.Add(-afterFailure + 1) }), lets: past(func(h *History) { h.FailedAt = now.Add(-afterFailure) })},
		{code: NoPath, from: alone, order: failover(), holds: func(in *Input) {
			est := *in.Estate
			est.Connections = slices.DeleteFunc(slices.Clone(est.Connections), func(c topology.Connection) bool { return c.ID == "/gw1-chicago" })
			in.Estate = &est
		}},
		{code: CandidateUnproven, from: alone, order: failover(), holds: change("chicago", func(b *health.Belief) { b.Proven = now.Add(-2*time.Minute - 1) }), lets: change("chicago", func(b *health.Belief) { b.Proven = now.Add(-2 * time.Minute) })},
		{code: CandidateUnproven, from: alone, order: failover(), holds: change("chicago", func(b *health.Belief) { b.Proven = time.Time{} })},
		{code: CandidateMaintenance, from: alone, order: failover(), holds: change("chicago", func(b *health.Belief) { b.Maintenance = &events.Window{Start: now.Add(nearMaintenance)} }),
			lets: change("chicago", func(b *health.Belief) { b.Maintenance = &events.Window{Start: now.Add(nearMaintenance + 1)} })},
		{code: CandidateMaintenance, from: alone, order: failover(), holds: change("chicago", func(b *health.Belief) { b.Maintenance = &events.Window{Start: now.Add(-time.Hour), End: now.Add(1)} }),
			lets: change("chicago", func(b *health.Belief) { b.Maintenance = &events.Window{Start: now.Add(-time.Hour), End: now} })},
		{code: SharedFate, from: alone, order: failover(), holds: func(in *Input) {
			circuit("chicago", func(c *topology.Circuit) { c.Location = "Washington DC" })(in)
			in.View.Locations = map[string]bool{"Washington DC": true}
		}, lets: circuit("chicago", func(c *topology.Circuit) { c.Location = "Washington DC" })},
		{code: PrefixesUncovered, from: alone, order: failover(), holds: func(in *Input) {
			in.Facts.Prefixes = map[string][]string{"ashburn": {"10.0.0.0/8"}, "chicago": {}}
		}, lets: func(in *Input) { in.Facts.Prefixes = map[string][]string{"ashburn": {"10.0.0.0/8"}} }},
		{code: Headroom, from: alone, order: failover(), holds: func(in *Input) { in.Facts.Load = map[string]int64{"ashburn": 600e6, "chicago": 300e6 + 1} },
			lets: func(in *Input) { in.Facts.Load = map[string]int64{"ashburn": 600e6, "chicago": 300e6} }},
		{code: SKUReach, from: alone, order: failover(), holds: circuit("chicago", func(c *topology.Circuit) { c.Region = "westeurope" }),
			lets: circuit("chicago", func(c *topology.Circuit) { c.Region, c.Tier = "westeurope", "Premium" })},
		{code: WeightRange, from: outage, order: failover(), holds: past(func(h *History) { h.Epoch = 32000 - 200 }), lets: past(func(h *History) { h.Epoch = 32000 - 201 })},
		{code: BlastRadius, from: outage, order: failover(), holds: past(func(h *History) { h.AtOnce = 2 }), lets: past(func(h *History) { h.AtOnce = 1 })},
		{code: BlastRadius, from: outage, holds: past(func(h *History) { h.LastHour = 6 }), lets: past(func(h *History) { h.LastHour = 5 })},
		{code: FailbackManually, from: away, holds: func(in *Input) { in.Rule.Failback.Mode = FailbackManual }},
		{code: StandbyTime, from: away, holds: past(func(h *History) { h.ActiveSince = now.Add(-30*time.Minute + 1) }), lets: past(func(h *History) { h.ActiveSince = now.Add(-30 * time.Minute) })},
		{code: HoldUp, from: away, order: goHome(), holds: change("ashburn", func(b *health.Belief) { b.State = health.Recovering })},
		{code: ObserversStale, from: away, order: goHome(), holds: change("ashburn", func(b *health.Belief) { b.Good = b.Good[:1] })},
		{code: Damped, from: away, order: goHome(), holds: change("ashburn", func(b *health.Belief) { b.Damped = true })},
		{code: OutsideWindow, from: away, holds: window(0, 3*time.Hour), lets: window(3*time.Hour, 4*time.Hour)},
		{code: BaselineNotHome, from: away, holds: past(func(h *History) { h.BaseHome = false })},
		{code: BaselineNotHome, from: settling, holds: past(func(h *History) { h.BaseHome = false })},
		{code: BaselineUnknown, from: settling, holds: past(func(h *History) { h.NoBaseline = true })},
		{code: SettleWaits, from: settling, holds: past(func(h *History) { h.QuietSince = now.Add(-10*time.Minute + 1) }), lets: past(func(h *History) { h.QuietSince = now.Add(-10 * time.Minute) })},
		{code: LastPath, from: calm, order: &events.Order{Verb: events.OrderFailover, By: "ana", To: "chicago", Overrides: []string{"candidate-unproven"}}, broken: true,
			holds: func(in *Input) { in.View.Circuits["chicago"] = believed("chicago", health.Down) },
			lets:  func(in *Input) { in.View.Circuits["chicago"] = believed("chicago", health.Suspect) }},
	}
}

// TestEveryGuardAlone asks each guard at its limit: just inside it is the one reason
// of a hold, just outside nothing holds; and an order may override it by name
// exactly when the closed list says so.
func TestEveryGuardAlone(t *testing.T) {
	seen := map[Reason]bool{}
	for _, l := range limits() {
		seen[l.code] = true
		name := string(l.code)
		plain := l.from()
		plain.Order = l.order
		if l.code != LastPath && Judge(plain).Action == Hold {
			t.Fatalf("%s: the input holds before the guard is set off: %v", name, Judge(plain).Codes())
		}
		in := l.from()
		in.Order = l.order
		l.holds(&in)
		v := Judge(in)
		if v.Action != Hold || !v.Has(l.code) || !onlyOf(v, l.code) {
			t.Errorf("%s: just inside: %s %v", name, v.Action, v.Codes())
		}
		if l.lets != nil {
			out := l.from()
			out.Order = l.order
			l.lets(&out)
			if v := Judge(out); v.Action == Hold {
				t.Errorf("%s: just outside: %v", name, v.Codes())
			}
		}
		if l.order != nil {
			checkOverride(t, l, in)
		}
	}
	for _, r := range overridable() {
		if !slices.Contains([]Reason{Blind, InMaintenance, UserInitiated, CoolDown, StandbyTime, OutsideWindow}, r) && !seen[r] {
			t.Errorf("%s may be overridden and has no row", r)
		}
	}
}

// onlyOf reports whether nothing but that guard, and what frames it, is said.
func onlyOf(v Verdict, code Reason) bool {
	for _, f := range v.Reasons {
		if f.Code != code && f.Code != NoCandidate && f.Code != OnStandby {
			return false
		}
	}
	return true
}

func checkOverride(t *testing.T, l limit, in Input) {
	t.Helper()
	o := *l.order
	o.Overrides = append(slices.Clone(o.Overrides), string(l.code))
	in.Order = &o
	v := Judge(in)
	if l.broken {
		if v.Action != Hold {
			t.Errorf("%s: overridden without break-glass", l.code)
		}
		o.Break = true
		v = Judge(in)
	}
	switch moves := v.Action != Hold; {
	case moves != Overridable(l.code):
		t.Errorf("%s: overridden by name: %s %v, overridable %t", l.code, v.Action, v.Codes(), Overridable(l.code))
	case moves && !slices.Contains(v.Overridden, l.code):
		t.Errorf("%s was overridden and is not listed: %v", l.code, v.Overridden)
	}
}

// TestStopsHoldTheWayHome sets the stops off on the automation's way home and on
// settling: none of them may write.
func TestStopsHoldTheWayHome(t *testing.T) {
	stop := &Pause{By: "ana", At: now}
	stops := map[Reason]func(*Input){
		KillSwitch:       past(func(h *History) { h.Killed = stop }),
		Paused:           past(func(h *History) { h.Paused = stop }),
		ObserveOnly:      func(in *Input) { in.Rule.Mode = Observe },
		Blind:            func(in *Input) { in.View.Blind = true },
		OperationRunning: past(func(h *History) { h.Running, h.RunningTo = "op-1", []string{"dallas"} }),
		ApprovalAwaited:  past(func(h *History) { h.Awaiting = "op-1" }),
		DrillRunning:     past(func(h *History) { h.Drill = "op-1" }),
		IntentOpen:       past(func(h *History) { h.OldIntents, h.Open = 1, 1 }),
		Drifted:          past(func(h *History) { h.Drift = []string{"/x"} }),
		LastFailed:       past(func(h *History) { h.FailedAt = now.Add(-time.Minute) }),
	}
	for name, from := range map[string]func() Input{"way home": away, "settling": settling} {
		if v := Judge(from()); v.Action != Return {
			t.Fatalf("%s: %v without a stop", name, v.Codes())
		}
		for code, set := range stops {
			in := from()
			set(&in)
			if v := Judge(in); v.Action != Hold || !v.Has(code) || !onlyOf(v, code) {
				t.Errorf("%s, %s: %s %v", name, code, v.Action, v.Codes())
			}
		}
	}
}

// TestLastPathKnowsWhatCarries: a circuit that is not known to be down may carry.
func TestLastPathKnowsWhatCarries(t *testing.T) {
	for _, s := range states {
		in := calm()
		in.View.Circuits["ashburn"], in.View.Circuits["chicago"] = believed("ashburn", s), believed("chicago", health.Down)
		in.Order = &events.Order{Verb: events.OrderFailover, By: "ana", To: "chicago", Overrides: []string{"candidate-unproven", "last-path"}}
		carries := s != health.Down
		if v := Judge(in); v.Has(LastPath) != carries {
			t.Errorf("from a circuit that is %s: %s %v", s, v.Action, v.Codes())
		}
	}
}

// TestGuardsComeInOrder sets many guards off at once: their reasons come in the
// order of the table.
func TestGuardsComeInOrder(t *testing.T) {
	in := suspected()
	stop := &Pause{By: "ana", At: now}
	in.Rule.Mode, in.View.Blind = Observe, true
	in.History.Killed, in.History.Paused, in.History.Running, in.History.OldIntents, in.History.Drift = stop, stop, "op-1", 1, []string{"/x"}
	in.History.LastMove, in.History.FailedAt, in.History.Undone, in.History.Active = now, now, true, []string{"ashburn"}
	change("ashburn", func(b *health.Belief) {
		b.HoldUntil, b.Observers, b.Explained = now.Add(time.Minute), 0, true
	})(&in)
	in.History.AtOnce, in.History.Epoch = 9, 32000
	want := []string{"kill-switch", "paused", "observe-only", "blind", "operation-running", "intent-open", "drift", "hold-down", "unconfirmed", "user-initiated", "cool-down", "last-failed", "weight-range", "blast-radius"}
	if got := Judge(in).Codes(); !slices.Equal(got, want) {
		t.Fatalf("reasons %v\nwant    %v", got, want)
	}
}

// TestReasonsAreAClosedList: no code twice, guards that may be overridden are in it.
func TestReasonsAreAClosedList(t *testing.T) {
	all := Reasons()
	for i, r := range all {
		if slices.Contains(all[:i], r) {
			t.Errorf("%s is listed twice", r)
		}
	}
	for _, r := range overridable() {
		if !slices.Contains(all, r) {
			t.Errorf("%s may be overridden and is no reason", r)
		}
	}
}
