package failover

import (
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// drillLimit is when a drill that names no deadline is over.
const drillLimit = 2 * time.Hour

// drill notes in the group's document that a drill begins, or that real trouble has
// overtaken it. The end of its way home ends it.
func (w *work) drill(op *record.Operation, order *events.Order) {
	switch {
	case op.Kind == policy.KindDrill && order != nil:
		w.g.Drill = order.Operation
		if w.g.Drill == "" {
			w.g.Drill = op.ID
		}
		w.g.DrillUntil = order.Until
		if w.g.DrillUntil.IsZero() {
			w.g.DrillUntil = w.now.Add(drillLimit)
		}
		w.note(record.Entry{Code: CodeDrillBegun, Actor: op.By, Text: drillText(w.g.Drill, op)})
	case op.Kind == policy.KindFailover && w.g.Drill != "":
		w.putAllBack(func(c record.Cut) bool { return c.Drill == w.g.Drill }, "the drill is overtaken by real trouble")
		w.endDrill(record.DrillOvertaken, CodeDrillOvertaken, "is overtaken by real trouble", list(op.Plan.From)+" is bad")
	}
}

// endDrill takes the group out of its drill.
func (w *work) endDrill(how record.DrillHow, code, text, why string) {
	w.note(record.Entry{Code: code, Text: "drill " + w.g.Drill + " " + text})
	w.g.DrillEnd = &record.DrillEnd{ID: w.g.Drill, How: how, At: w.Clock.Now(), Why: why}
	w.g.Drill, w.g.DrillUntil = "", time.Time{}
}

// drilled ends a drill with the operation that ended it.
func (w *work) drilled(op *record.Operation) {
	failed := op.Result == record.FailedOp
	switch {
	case w.g.Drill == "":
	case op.Kind == policy.KindFailback && !failed:
		w.endDrill(record.DrillHome, CodeDrillEnded, "is over: traffic is home", "")
	case op.Kind == policy.KindDrill && failed && !op.Plan.Lever.Cuts() && !slices.ContainsFunc(op.Steps, func(s executor.StepState) bool { return s.Phase == executor.Done }):
		w.endDrill(record.DrillFailed, CodeDrillEnded, "is over: its move failed, traffic never left home", "the move failed")
	}
}

// watchDrill ends a drill that something else has ended. Home going down is an
// incident: traffic stays where it is, and comes home by the gates of any failback,
// not by the drill's. Traffic that is home although nothing of ours took it there was
// taken home by others' writes.
func (w *work) watchDrill() {
	if w.g.Drill == "" || len(w.g.Cuts) > 0 {
		return // what a lever cuts looks down, and is meant to
	}
	home := w.topo.Home()
	for _, name := range home {
		if w.view.Circuits[name].State == health.Down && (w.g.Operation == nil || w.g.Operation.Kind != policy.KindDrill) {
			w.endDrill(record.DrillOvertaken, CodeDrillOvertaken, "is overtaken by real trouble: "+name+" is down, traffic stays on "+list(w.g.Active), name+" is down")
			return
		}
	}
	atHome := slices.Equal(slices.Sorted(slices.Values(home)), slices.Sorted(slices.Values(w.g.Active)))
	if w.g.Operation == nil && len(w.g.Intents) == 0 && atHome && w.moved() {
		w.endDrill(record.DrillUndone, CodeDrillEnded, "is over: others wrote the weights back while traffic was on the standby", "others wrote the weights of "+w.g.Name+" back while traffic was on the standby")
	}
}

// moved reports whether the newest move of the group was its drill's way out.
func (w *work) moved() bool {
	for _, s := range w.g.Recent {
		switch s.Kind {
		case policy.KindDrill:
			return true
		case policy.KindSettle:
		case policy.KindFailover, policy.KindSwitchover, policy.KindFailback, policy.KindEvacuate:
			return false
		}
	}
	return false
}

// endsDrill reports whether the way home ends the group's drill: its deadline has
// passed, or the drill itself orders it.
func (w *work) endsDrill() bool {
	if w.g.Drill == "" {
		return false
	}
	if !w.now.Before(w.g.DrillUntil) {
		return true
	}
	if len(w.g.Orders) == 0 {
		return false
	}
	o := w.g.Orders[0].Order
	return o.Verb == events.OrderFailback && strings.EqualFold(o.Operation, w.g.Drill)
}
