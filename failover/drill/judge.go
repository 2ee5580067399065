package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/record"
)

// Proven says what a look at one thing found.
type Proven string

const (
	Seen    Proven = "seen"    // read, and as it should be
	NotSeen Proven = "missing" // looked for and not found, or not as it should be
	NotRead Proven = "unread"  // nothing could tell; it neither passes nor fails a drill
)

// Proof is one thing that was measured.
type Proof struct {
	What  string `json:"what"`
	Group string `json:"group,omitzero"`
	Found Proven `json:"found"`
	Text  string `json:"text"`
}

// rested reports whether every weight, tag and body is as it was, by a fresh read,
// and nothing runs.
func rested(d Document, in Input) bool {
	for _, l := range d.Legs {
		if g := in.Groups[l.Group]; g.Operation != nil || len(g.Cuts) > 0 {
			return false
		}
	}
	_, different := differences(d, in)
	return len(different) == 0
}

// differences compares the fresh read with the weights to come back to.
func differences(d Document, in Input) (after []Rest, different []string) {
	for _, u := range d.Undo {
		c, read := in.Fresh[u.Connection]
		if !read {
			different = append(different, name(u.Connection)+" could not be read")
			continue
		}
		now := u
		now.Weight, now.Epoch, now.Body = c.Weight, c.Epoch, c.Rest
		after = append(after, now)
		switch {
		case now.Weight != u.Weight || now.Epoch != u.Epoch:
			different = append(different, fmt.Sprintf("%s has weight %d %s, it was %d %s", name(u.Connection), now.Weight, tag(now.Epoch), u.Weight, tag(u.Epoch)))
		case u.Body != "" && now.Body != u.Body:
			different = append(different, "something else than the weight of "+name(u.Connection)+" is not as it was")
		}
	}
	return after, different
}

func tag(epoch string) string {
	if epoch == "" {
		return "without a tag"
	}
	return "with tag " + epoch
}

// now returns the weights of the drill's connections as its groups' documents have
// them.
func now(d Document, in Input) []Rest {
	out := slices.Clone(d.Undo)
	for i, u := range out {
		if c, read := in.Groups[u.Group].Actual[u.Connection]; read {
			out[i].Weight, out[i].Epoch, out[i].Body = c.Weight, c.Epoch, c.Rest
		}
	}
	return out
}

// judge passes or fails a drill from what was measured, never from a claim.
func judge(d Document, in Input) (Document, []events.Order, *Ended) {
	var missing []string
	for _, l := range d.Legs {
		if l.State == LegHome {
			d.Evidence = append(d.Evidence, measured(d, in, l)...)
		}
	}
	var different []string
	d.After, different = differences(d, in)
	back := Proof{What: "weights restored", Found: Seen, Text: fmt.Sprintf("%d connections are as they were, byte for byte", len(d.Undo))}
	if len(different) > 0 {
		back.Found, back.Text = NotSeen, "the weights at rest are not back: "+strings.Join(different, "; ")
	}
	d.Evidence = append(d.Evidence, back)
	for _, p := range d.Evidence {
		if p.Found == NotSeen {
			missing = append(missing, p.Text)
		}
	}
	if d.ReturnAt.After(d.Deadline.Add(retryHome)) { // the engine's way home and the calendar's own may meet
		early(&d, Failed, "the calendar was away; traffic went home after the deadline")
	}
	switch {
	case d.Early != "" && len(different) > 0:
		return finish(d, in, Failed, d.Why+"; "+back.Text)
	case d.Early != "":
		return finish(d, in, d.Early, d.Why)
	case len(missing) > 0:
		return finish(d, in, Failed, strings.Join(missing, "; "))
	}
	return finish(d, in, Passed, "")
}

// measured lists what was seen of one group's move.
func measured(d Document, in Input, l Leg) []Proof {
	op := in.Ops[l.Out]
	if op == nil {
		return []Proof{{What: "move", Group: l.Group, Found: NotSeen, Text: "the operation that moved " + l.Group + " was not found"}}
	}
	out := []Proof{routes(*op, l), traffic(*op, l), probes(d, l), path(*op, l)}
	if in.Spec.Kind == Disconnect || in.Spec.Kind == Link {
		out = append(out, stopped(in, l))
	}
	if o := in.Spec.Objective; o > 0 {
		took := recovery(op)
		p := Proof{What: "recovery time", Group: l.Group, Found: Seen, Text: fmt.Sprintf("%s, the objective is %s", took.Round(time.Second), o)}
		switch {
		case took <= 0:
			p.Found, p.Text = NotSeen, "the move was never proven, so it met no objective"
		case took > o:
			p.Found, p.Text = NotSeen, fmt.Sprintf("the move of %s took %s, the objective is %s", l.Group, took.Round(time.Second), o)
		}
		out = append(out, p)
	}
	return out
}

// stopped is about the end of Azure's failover test.
func stopped(in Input, l Leg) Proof {
	p := Proof{What: "test stopped", Group: l.Group, Found: NotSeen, Text: "the end of the failover test was not read back"}
	if back := in.Ops[l.Back]; back != nil && len(in.Groups[l.Group].Cuts) == 0 && back.Result == record.AppliedOK {
		p.Found, p.Text = Seen, fmt.Sprintf("every failover test was stopped and read back at %s", stamp(back.Stamps.End))
	}
	return p
}

// routes is about what the gateways had learned after the move.
func routes(op record.Operation, l Leg) Proof {
	p := Proof{What: "routes learned", Group: l.Group, Found: Seen}
	n := 0
	for _, c := range op.Checks {
		n += c.Routes
		if !c.Done {
			p.Found, p.Text = NotSeen, name(c.Gateway)+" showed no routes after the move"
			return p
		}
	}
	if len(op.Checks) == 0 {
		p.Found, p.Text = NotRead, "the gateways of "+l.Group+" tell no routes"
		return p
	}
	p.Text = fmt.Sprintf("%d gateways show %d routes while %s has the highest weight", len(op.Checks), n, strings.Join(l.To, ", "))
	return p
}

// traffic is about the byte counters of the standby.
func traffic(op record.Operation, l Leg) Proof {
	p := Proof{What: "traffic on the standby", Group: l.Group, Found: NotSeen, Text: "no traffic was seen on " + strings.Join(l.To, ", ") + " in time"}
	if op.Traffic == nil || !op.Traffic.Seen {
		return p
	}
	var texts []string
	for _, c := range l.To {
		before, after := op.Traffic.Before[c].Bytes, op.Traffic.After[c].Bytes
		texts = append(texts, fmt.Sprintf("%s sent %d bytes to on-premises in %s", c, after.Out[0]+after.Out[1]-before.Out[0]-before.Out[1], op.Traffic.After[c].At.Sub(op.Traffic.Before[c].At).Round(time.Second)))
	}
	p.Found, p.Text = Seen, strings.Join(texts, "; ")
	return p
}

// probes is about test traffic over the standby, looked at when the hold ended.
func probes(d Document, l Leg) Proof {
	for _, p := range d.Probes {
		if p.Group == l.Group {
			return p
		}
	}
	return Proof{What: "probes", Group: l.Group, Found: NotRead, Text: "no probe speaks for " + strings.Join(l.To, ", ")}
}

// probesNow looks at what probes say of the circuits that carry the traffic.
func probesNow(d Document, in Input) []Proof {
	var out []Proof
	for _, l := range d.Legs {
		for _, c := range l.To {
			b, _ := belief(in, l.Group, c)
			for _, e := range slices.Concat(b.Bad, b.Good) {
				if e.Observer != events.Probe || (!d.HeldAt.IsZero() && e.At.Before(d.SeenAt)) {
					continue
				}
				p := Proof{What: "probes", Group: l.Group, Found: Seen, Text: fmt.Sprintf("%s reaches its target over %s at %s", firstText(e.Source, "a probe"), c, stamp(e.At))}
				if e.State != events.Up {
					p.Found, p.Text = NotSeen, fmt.Sprintf("%s says %s of %s at %s", firstText(e.Source, "a probe"), word(e.State), c, stamp(e.At))
				}
				out = append(out, p)
				break
			}
		}
	}
	return out
}

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// path is about the direction that weights do not steer.
func path(op record.Operation, l Leg) Proof {
	p := Proof{What: "both directions", Group: l.Group, Found: NotRead, Text: "unproven: nothing tells which way on-premises sends; see docs/onprem.md"}
	switch op.Symmetry {
	case record.Symmetric:
		p.Found, p.Text = Seen, "symmetric: on-premises answers over the same circuit"
	case record.Asymmetric:
		p.Found, p.Text = NotSeen, "asymmetric: on-premises still answers over "+strings.Join(op.Plan.From, ", ")+"; its local preference must move too"
	case record.Unproven:
		if in, out := crossed(op, l); in > 0 && out > 0 {
			p.Found, p.Text = Seen, fmt.Sprintf("symmetric as far as counters tell: %d bytes in and %d bytes out on %s", in, out, strings.Join(l.To, ", "))
		}
	}
	return p
}

// crossed returns the bytes that the standby carried in and out between the two
// looks of the move.
func crossed(op record.Operation, l Leg) (in, out int64) {
	if op.Traffic == nil {
		return 0, 0
	}
	for _, c := range l.To {
		before, after := op.Traffic.Before[c].Bytes, op.Traffic.After[c].Bytes
		in += after.In[0] + after.In[1] - before.In[0] - before.In[1]
		out += after.Out[0] + after.Out[1] - before.Out[0] - before.Out[1]
	}
	return in, out
}

// recovery returns how long a move took, from the order to traffic on the standby;
// 0 when traffic was never seen.
func recovery(op *record.Operation) time.Duration {
	if op.Stamps.Verify.IsZero() {
		return 0
	}
	return op.Stamps.Verify.Sub(op.Stamps.Signal)
}

// tabletop ends a rehearsal on paper: what would be done is its whole content.
func tabletop(d Document, in Input) (Document, []events.Order, *Ended) {
	d.ArmedAt = in.Now
	writes := 0
	for _, p := range d.Plans {
		writes += len(p.Steps)
		d.Evidence = append(d.Evidence, Proof{What: "plan", Group: p.Group, Found: Seen, Text: fmt.Sprintf("%d writes would move %s from %s to %s (plan %s)", len(p.Steps), p.Group, strings.Join(p.From, ", "), strings.Join(p.To, ", "), p.ID)})
	}
	d.Evidence = append(d.Evidence, Proof{What: "writes", Found: Seen, Text: fmt.Sprintf("none; %d were planned", writes)})
	return finish(d, in, Passed, "")
}

// finish ends a drill and plans the next.
func finish(d Document, in Input, r Result, why string, codes ...string) (Document, []events.Order, *Ended) {
	_, different := differences(d, in)
	o := Outcome{ID: d.ID, Kind: in.Spec.Kind, Result: r, Began: d.ArmedAt, Ended: in.Now, By: d.By, Why: why, Codes: codes}
	o.Restored = len(d.Undo) > 0 && len(different) == 0
	moved := slices.ContainsFunc(d.Legs, func(l Leg) bool { return l.State == LegHome })
	switch {
	case o.Restored:
		o.Weights = WeightsBack
	case r == Overtaken && moved:
		o.Weights = WeightsIncident
	case !moved:
		o.Weights = WeightsKept
	default:
		o.Weights = WeightsDiffer
	}
	for _, l := range d.Legs {
		if op := in.Ops[l.Out]; op != nil {
			o.RecoveryMS = max(o.RecoveryMS, recovery(op).Milliseconds())
		}
	}
	text := "drill " + string(r)
	if why != "" {
		text += ": " + why
	}
	ended := Ended{Schema: record.Schema, Name: d.Name, Group: in.Spec.Group, ObjectiveMS: in.Spec.Objective.Milliseconds(), HoldMS: in.Spec.hold(d.Run).Milliseconds(), Outcome: o, Run: d.Run}
	d.Add(Stream(d.Name), record.Entry{At: in.Now, Code: "drill.end", Group: in.Spec.Group, Operation: d.ID, Actor: d.By, Text: text, Fields: map[string]string{sealField: seal(ended)}})
	next := Document{Schema: d.Schema, Name: d.Name, Phase: Idle, Skipped: d.Skipped, Flags: d.Flags, Last: &o, History: append([]Outcome{o}, d.History...), Trail: d.Trail}
	next.History = next.History[:min(len(next.History), keptHistory)]
	from := in.Now
	if d.By == "" && d.Next.After(next.Skipped) {
		next.Skipped = d.Next // an instance whose clock is slow must not run it again
	}
	if next.Skipped.After(from) {
		from = next.Skipped
	}
	next.Next = in.Spec.Calendar.Next(from)
	return next, nil, &ended
}
