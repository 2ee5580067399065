package shadow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"erfailover/failover/record"
)

// TestScenarios grades journals as a network engineer would tell them. To accept new
// output: go test ./failover/shadow -rewrite, then read the difference.
//
//	03:00:30 verdict hold ashburn>chicago observe-only hold-down
//	03:00:31 state ashburn healthy>suspect
//	03:02:00 decided failover ashburn>chicago by=ana
//	03:02:50 applied
//	03:00:20 signal metric ashburn down [at=03:00:10] [source=x] [reason=user-initiated]
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			j := readJournal(t, d.Input)
			now := clock(t, "09:00:00")
			for _, a := range d.CmdArgs {
				if a.Key == "now" {
					now = clock(t, a.Vals[0])
				}
			}
			switch d.Cmd {
			case "grade":
				return graded(j, now)
			case "alarms":
				watch := Watch{}
				for _, a := range d.CmdArgs {
					if a.Key == "watch" {
						name, observers, _ := strings.Cut(a.Vals[0], ":")
						watch[name] = strings.Split(observers, "+")
					}
				}
				return heard(Alarms(j.circuits, watch))
			}
			d.Fatalf(t, "unknown command %q", d.Cmd)
			return ""
		})
	})
}

type journal struct{ group, circuits []record.Entry }

func clock(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateTime, "2026-01-12 "+text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func readJournal(t *testing.T, text string) journal {
	var j journal
	for i, line := range strings.Split(text, "\n") {
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		e := record.Entry{Seq: uint64(i + 1), At: clock(t, w[0]), Group: "east", Fields: map[string]string{}}
		opts := map[string]string{}
		for _, o := range w[2:] {
			if k, v, ok := strings.Cut(o, "="); ok {
				opts[k] = v
			}
		}
		switch w[1] {
		case "verdict":
			e.Code, e.Actor, e.Fields["action"] = codeVerdict, opts["by"], w[2]
			if len(w) > 3 && strings.Contains(w[3], ">") {
				e.Fields["kind"] = "failover"
				e.Fields["from"], e.Fields["to"], _ = strings.Cut(w[3], ">")
				e.Reasons = w[4:]
			} else {
				e.Reasons = w[3:]
			}
			j.group = append(j.group, e)
		case "decided":
			e.Code, e.Actor, e.Operation, e.Reasons = codeDecided, opts["by"], "op-1", []string{"circuit-down"}
			e.Fields["kind"] = w[2]
			e.Fields["from"], e.Fields["to"], _ = strings.Cut(w[3], ">")
			j.group = append(j.group, e)
		case "applied":
			e.Code, e.Operation = codeApplied, "op-1"
			j.group = append(j.group, e)
		case "state":
			e.Code, e.Circuit = codeState, w[2]
			e.Fields["from"], e.Fields["to"], _ = strings.Cut(w[3], ">")
			j.circuits = append(j.circuits, e)
		case "signal":
			e.Code, e.Group, e.Circuit = codeSignal, "", w[3]
			e.Fields["observer"], e.Fields["state"], e.Fields["signal"], e.Fields["source"] = w[2], w[4], fmt.Sprint("s-", i), opts["source"]
			if at := opts["at"]; at != "" {
				e.Fields["at"] = clock(t, at).Format(time.RFC3339Nano)
			}
			if r := opts["reason"]; r != "" {
				e.Reasons = []string{r}
			}
			j.circuits = append(j.circuits, e)
		default:
			t.Fatalf("unknown line %q", line)
		}
	}
	return j
}

func graded(j journal, now time.Time) string {
	cases := Cases(Input{Group: "east", Now: now, Rule: DefaultRule(), Entries: j.group, Circuits: j.circuits})
	var b strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&b, "%s %s to %s: %s, gain %s\n    %s\n", c.BadAt.Format("15:04:05"), list(c.From), list(c.To), c.Grade, Span(time.Duration(c.GainMS)*time.Millisecond), c.Says)
	}
	for _, r := range Regrets(cases, DefaultRule(), now) {
		kind := "cause"
		if r.Guard {
			kind = "guard"
		}
		fmt.Fprintf(&b, "%s %s: cases %d, harmful %d, cost %s, worth %s, regret %+.1f min\n", kind, r.Code, r.Cases, r.Harmful,
			Span(time.Duration(r.CostMS)*time.Millisecond), Span(time.Duration(r.WorthMS)*time.Millisecond), r.RegretMS/60000)
	}
	return b.String()
}

func heard(q Quality) string {
	var b strings.Builder
	for _, i := range q.Incidents {
		fmt.Fprintf(&b, "%s %s\n", i.BadAt.Format("15:04:05"), i.Circuit)
		for _, a := range i.Alarms {
			fmt.Fprintf(&b, "    %s: %s", a.Observer, a.Said)
			if a.LateMS > 0 {
				fmt.Fprintf(&b, " by %s", Span(time.Duration(a.LateMS)*time.Millisecond))
			}
			b.WriteString("\n")
		}
	}
	for _, o := range q.Observers {
		fmt.Fprintf(&b, "%s: incidents %d, first %d, prompt %d, late %d, wrong %d, silent %d, false %d\n", o.Observer, o.Incidents, o.First, o.Prompt, o.Late, o.Wrong, o.Silent, o.False)
	}
	if len(q.Untested) > 0 {
		fmt.Fprintf(&b, "untested: %s\n", list(q.Untested))
	}
	return b.String()
}
