package proof

import (
	"slices"
	"strconv"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// approvalExpires is how long a proposal waits, in every world.
const approvalExpires = 5 * time.Minute

// waiting is an operation as it was stored when it waited for approval.
type waiting struct {
	plan    string
	expires time.Time // true time
}

// approval is an order that approves, as a person gave it.
type approval struct {
	by, operation, plan string
	at                  time.Time
}

// asker is who gives an order in a world of approvals: one of three persons, so that
// who asked also approves, and who approved approves again.
func (w *world) asker(n int) string { return "q" + strconv.Itoa(int(w.draw("people", n, "who")%3)) }

// approve draws an approval: of whatever waits, of what was read, or of what was read
// a while ago.
func (w *world) approve(n int, group string) events.Order {
	o := events.Order{Verb: events.OrderApprove, Group: group, By: w.asker(n / 2)} // often the same person twice
	p := w.judge.named(group)
	if seen := p.proposed; len(seen) > 0 {
		id := seen[max(0, len(seen)-1-int(w.draw("people", n, "read")%2))]
		switch w.draw("people", n, "names") % 3 {
		case 0:
			o.Plan = p.waiting[id].plan
		case 1:
			o.Operation = id
		}
	}
	return o
}

// proposes looks at an operation that waits for approval.
func (o *oracles) proposes(i *instance, op *record.Operation) {
	was, known := o.waiting[op.ID]
	if !known {
		o.proposed = append(o.proposed, op.ID)
		o.w.trace.note("%s proposes %s to %v, %s, plan %s", i.name, op.Kind, op.Plan.To, op.ID, op.Plan.ID)
		was = waiting{op.Plan.ID, o.w.now.Add(approvalExpires)}
	}
	was.plan = op.Plan.ID
	o.waiting[op.ID] = was
}

// agreed is S20: what needs approval was proposed, and begins as it was proposed, in
// time, with the word of enough different persons, none of them who asked.
func (o *oracles) agreed(i *instance, op *record.Operation) {
	ends := op.Kind == policy.KindFailback && o.rec.Drill != ""
	if (o.w.swarm.mode != policy.Approve && op.Plan.Lever != policy.LeverPeering) || op.Kind == policy.KindSettle || ends {
		return
	}
	was, proposed := o.waiting[op.ID]
	o.must("S20", proposed, "%s of epoch %d begins and was never proposed", op.Kind, op.Plan.Epoch)
	if !proposed {
		return
	}
	o.must("S20", was.plan == op.Plan.ID, "%s begins plan %s, proposed was %s", op.ID, op.Plan.ID, was.plan)
	late := op.Stamps.Approve.Add(-i.offset).Sub(was.expires)
	o.must("S20", late <= 2*o.w.swarm.skewMax, "%s is approved %s after it has expired", op.ID, late)
	persons := slices.Compact(slices.Sorted(slices.Values(op.Approved)))
	o.must("S20", len(persons) >= o.w.swarm.approvers, "%s begins with the approval of %v, %d are needed", op.ID, op.Approved, o.w.swarm.approvers)
	for _, p := range persons {
		o.must("S20", p != op.By, "%s asked for %s and approves it", p, op.ID)
		said := slices.ContainsFunc(o.root.approvals, func(a approval) bool {
			return a.by == p && a.at.After(o.w.now.Add(-20*time.Minute)) && (a.operation == "" || a.operation == op.ID) && (a.plan == "" || a.plan == op.Plan.ID)
		})
		o.must("S20", said, "%s never approved %s, plan %s", p, op.ID, op.Plan.ID)
	}
}

// oneAtATime is S26: of a plan's writes on one gateway, one at most may be on its way
// or in doubt as the newest.
func (o *oracles) oneAtATime(op *record.Operation) {
	going := map[string]string{}
	for _, s := range op.Steps {
		if s.Phase != executor.Intent && s.Phase != executor.Sent && s.Phase != executor.Check {
			continue
		}
		o.must("S26", going[s.Gateway] == "", "%s and %s are written at the same time", short(s.Connection), short(going[s.Gateway]))
		going[s.Gateway] = s.Connection
	}
}

// looked notes that an instance looks at a document or at a resource of Azure.
func (o *oracles) looked(i *instance, what string) { o.looks[i.name+" "+what] = o.w.now }

// lookedAgain is S27: whoever decides has looked again since it claimed the group: at
// the kill switch, at every circuit's document, at every weight.
func (o *oracles) lookedAgain(i *instance, op *record.Operation) {
	if !op.Stamps.Approve.IsZero() {
		return // what was approved is compared with what would be done now
	}
	claim, claimed := o.claims[i.name]
	o.must("S27", claimed, "%s decides epoch %d and never claimed the group", i.name, op.Plan.Epoch)
	what := []string{record.EstateKey}
	for _, c := range o.group.Circuits() {
		what = append(what, record.CircuitKey(c))
	}
	for _, id := range o.w.azure.order {
		if o.mine(id) {
			what = append(what, id)
		}
	}
	for _, key := range what {
		o.must("S27", !o.looks[i.name+" "+key].Before(claim), "%s decides epoch %d and has not looked at %s since its claim", i.name, op.Plan.Epoch, short(key))
	}
}
