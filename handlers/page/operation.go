package page

import (
	"fmt"
	"slices"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// operationView is one operation, step by step.
type operationView struct {
	Key, ID, Plan  string
	Group, GroupAt string // cleaned, and for links
	Kind, Move     string
	Status, Result string
	Good, Running  bool
	Waiting        bool
	By             string
	Approved       string
	Expires        time.Time
	Epoch          int64
	Symmetry       string
	Done, Total    int
	Why            []findingView
	Steps          []stepView
	More           int // steps that are not listed
	Stages         []stageView
	Recovery       string
	Objective      string
	Notes          []string
	Begun, Ended   time.Time
}

// stepView is one write.
type stepView struct {
	Gateway, Circuit, Connection string
	From, To                     int32
	Mark, Says                   string
	Attempts                     int
	Done                         time.Time
	Took                         time.Duration
	NotBefore                    time.Time
	Error, Hint                  string
}

// stageView is one line of the ledger, reached or not.
type stageView struct {
	Name, Means string
	Reached     bool
	Next        bool // what the operation works on now
	At          time.Time
	Took, Since string
	X, W        string // of the bar, in per cent
}

// maxSteps is how many writes are listed.
const maxSteps = 60

func newOperation(op report.Operation, now time.Time) operationView {
	v := operationView{
		Key: linkable(op.ID), ID: label(op.ID), Plan: label(op.Plan), Group: label(op.Group), GroupAt: linkable(op.Group),
		Kind: label(string(op.Kind)), Move: move(op.From, op.To), Status: label(string(op.Status)),
		Good: op.Result == record.Proven || op.Result == record.AppliedOK, Running: op.Status != record.Ended,
		Waiting: op.Status == record.AwaitingApproval, Expires: op.Expires, Epoch: op.Epoch,
		Why: findings(op.Why), Begun: op.Begun, Ended: op.Ended, Total: len(op.Steps),
	}
	if op.Result != "" {
		v.Result = label(string(op.Result))
	}
	if op.Symmetry != "" {
		v.Symmetry = label(string(op.Symmetry))
	}
	if op.By != "" {
		v.By = label(op.By)
	}
	if len(op.Approved) > 0 {
		v.Approved = labels(op.Approved)
	}
	for _, n := range op.Notes[:min(len(op.Notes), 20)] {
		v.Notes = append(v.Notes, prose(n))
	}
	for i, s := range op.Steps {
		if s.Phase == executor.Done {
			v.Done++
		}
		if i < maxSteps {
			v.Steps = append(v.Steps, newStep(s, now))
		}
	}
	v.More = v.Total - len(v.Steps)
	v.Stages = stages(op)
	v.Recovery = spanMS(op.Ledger.RecoveryMS)
	if op.Ledger.ObjectiveMS > 0 {
		v.Objective = spanMS(op.Ledger.ObjectiveMS)
		if m := op.Ledger.Met; m != nil && *m {
			v.Objective += ": met"
		} else if m != nil {
			v.Objective += ": missed"
		}
	}
	return v
}

func newStep(s report.Step, now time.Time) stepView {
	v := stepView{
		Gateway: short(s.Gateway), Circuit: label(s.Circuit), Connection: short(s.Connection), From: s.From, To: s.To,
		Attempts: s.Attempts, Done: s.DoneAt, Error: prose(s.Error), Hint: prose(s.Hint),
	}
	if s.NotBefore.After(now) {
		v.NotBefore = s.NotBefore
	}
	if !s.DoneAt.IsZero() && !s.BegunAt.IsZero() {
		v.Took = s.DoneAt.Sub(s.BegunAt)
	}
	switch s.Phase {
	case executor.Waiting:
		v.Mark, v.Says = "·", "not begun"
		if s.Attempts > 0 {
			v.Says = "will be tried again"
		}
	case executor.Intent:
		v.Mark, v.Says = "▸", "being sent"
	case executor.Sent:
		v.Mark, v.Says = "▶", "Azure works on it"
	case executor.Check:
		v.Mark, v.Says = "⌕", "being read back"
	case executor.Done:
		v.Mark, v.Says = "✓", "read back as wanted"
	case executor.Failed:
		v.Mark, v.Says = "✖", "failed"
	}
	return v
}

// order in which an operation reaches its stages. Approval is shown only where a
// person had to agree.
var ledgerStages = []string{"signal", "confirm", "decide", "approve", "apply", "converge", "verify"}

// stages returns the ledger with the stages that are still to come.
func stages(op report.Operation) []stageView {
	reached := map[string]report.Stage{}
	for _, st := range op.Ledger.Stages {
		reached[st.Name] = st
	}
	var out []stageView
	next := op.Status != record.Ended
	for i, name := range ledgerStages {
		st, ok := reached[name]
		if !ok {
			if name == "approve" && op.Status != record.AwaitingApproval || reachedLater(reached, i) || op.Status == record.Ended {
				continue
			}
			out = append(out, stageView{Name: name, Next: next})
			next = false
			continue
		}
		v := stageView{Name: name, Means: prose(st.Means), Reached: true, At: st.At, Took: spanMS(st.TookMS), Since: spanMS(st.SinceMS), X: "0", W: "0"}
		if name == "signal" && op.By != "" {
			v.Means = "a person ordered it"
		}
		if total := op.Ledger.RecoveryMS; total > 0 {
			v.X = fmt.Sprintf("%.1f", 100*float64(st.SinceMS-st.TookMS)/float64(total))
			v.W = fmt.Sprintf("%.1f", max(0.6, 100*float64(st.TookMS)/float64(total)))
		}
		out = append(out, v)
	}
	return out
}

func reachedLater(reached map[string]report.Stage, i int) bool {
	return slices.ContainsFunc(ledgerStages[i+1:], func(n string) bool { _, ok := reached[n]; return ok })
}
