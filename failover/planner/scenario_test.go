package planner

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"erfailover/failover/fault"
	"erfailover/failover/policy"
)

// TestScenarios runs the files in testdata/scenarios. To accept new output run
// `go test ./failover/planner -run TestScenarios -rewrite` and read the difference.
//
//	rest [home=2] [recorded=7]      the weights at rest, and what is written as weight/epoch is not at rest
//	found                           the weights as they were found now; rows as in rest
//	forget gw1-dallas ...           the weight at rest of a connection is not known
//	unread gw1-dallas ...           a connection that could not be read
//	epoch                           what the next decision's epoch would be
//	plan KIND from=a to=b [epoch=1] the plan; it is carried out wave by wave
//	dry KIND ...                    the plan; nothing is carried out
//	late gw1-chicago 201/1          an old write of ours lands
//	undo                            the last plan taken back, wave by wave
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, file string) {
		var l *lab
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			if d.Cmd == "rest" {
				l = restLab(t, d)
				return l.table(l.actual)
			}
			return l.run(t, d)
		})
	})
}

func restLab(t *testing.T, d *datadriven.TestData) *lab {
	t.Helper()
	home, recorded := 1, 0
	d.MaybeScanArgs(t, "home", &home)
	d.MaybeScanArgs(t, "recorded", &recorded)
	l, err := newLab(d.Input, home)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	l.recorded = int64(recorded)
	return l
}

func (l *lab) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	switch d.Cmd {
	case "found":
		other, err := newLab(d.Input, len(l.group.Home()))
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		l.actual = other.actual
		return l.table(l.actual)
	case "forget":
		for _, a := range d.CmdArgs {
			delete(l.baseline, "/connections/"+a.Key)
		}
		return "ok\n"
	case "unread":
		for _, a := range d.CmdArgs {
			delete(l.actual, "/connections/"+a.Key)
		}
		return "ok\n"
	case "epoch":
		return strconv.FormatInt(NextEpoch(l.recorded, l.est, l.group, l.baseline, l.actual), 10) + "\n"
	case "late":
		w, err := parseWeight(d.CmdArgs[1].Key)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		l.actual["/connections/"+d.CmdArgs[0].Key] = w
		return l.table(l.actual)
	case "plan", "dry":
		return l.plan(t, d)
	case "undo":
		return l.carry(Undo(l.last))
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return ""
}

func (l *lab) plan(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	in := Input{Estate: l.est, Group: l.group, Actual: l.actual, Baseline: l.baseline, Verdict: policy.Verdict{Kind: policy.Kind(d.CmdArgs[0].Key)}}
	in.Epoch = NextEpoch(l.recorded, l.est, l.group, l.baseline, l.actual)
	for _, a := range d.CmdArgs[1:] {
		switch a.Key {
		case "from":
			in.Verdict.From = a.Vals
		case "to":
			in.Verdict.To = a.Vals
		case "epoch":
			n, err := strconv.ParseInt(a.Vals[0], 10, 64)
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			in.Epoch = n
		}
	}
	p, err := Make(in)
	if err != nil {
		return "refused: " + err.Error() + "\nhint: " + hint(err) + "\n"
	}
	if d.Cmd == "dry" {
		return stepTable(p.Steps)
	}
	l.last, l.recorded = p, max(l.recorded, p.Epoch)
	if len(p.Steps) == 0 {
		return "nothing to write\n"
	}
	return l.carry(p.Steps)
}

// carry lets steps land wave by wave and draws the weights after each wave.
func (l *lab) carry(steps []Step) string {
	var b strings.Builder
	top := 0
	for _, s := range steps {
		top = max(top, s.Wave)
	}
	for wave := range top + 1 {
		var now []Step
		for _, s := range steps {
			if s.Wave == wave {
				now = append(now, s)
			}
		}
		if len(now) == 0 {
			continue
		}
		l.actual = after(l.actual, now...)
		b.WriteString(stepTable(now) + l.table(l.actual))
	}
	return b.String()
}

func hint(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Hint
	}
	return ""
}
