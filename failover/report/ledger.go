// Package report turns the record into what people and machines read: the state of
// every group, an operation step by step, and its recovery ledger.
//
// It is pure, and nothing in it can show a resume token: views are made of fields
// that are named here, never of stored documents.
package report

import (
	"fmt"
	"strings"
	"time"

	"erfailover/failover/record"
)

// Stage is one line of a recovery ledger.
type Stage struct {
	Name    string    `json:"name"`            // signal, confirm, decide, approve, apply, converge, verify
	At      time.Time `json:"at"`              // when it was reached
	TookMS  int64     `json:"took_ms"`         // since the stage before
	SinceMS int64     `json:"since_signal_ms"` // since the signal
	Means   string    `json:"means"`           // what the stage ends with, for people
}

// Ledger says where the time of a recovery went.
type Ledger struct {
	Stages      []Stage `json:"stages"`
	RecoveryMS  int64   `json:"recovery_ms"`             // signal to the last stage reached
	ObjectiveMS int64   `json:"objective_ms,omitzero"`   // 0: none was set
	Met         *bool   `json:"objective_met,omitempty"` // nil without an objective, or before traffic was seen
}

// MakeLedger reads the ledger of an operation. Stages that were not reached are
// left out. The objective may be zero.
func MakeLedger(s record.Stamps, objective time.Duration) Ledger {
	l := Ledger{ObjectiveMS: objective.Milliseconds()}
	var first, before time.Time
	for _, st := range []struct {
		name  string
		at    time.Time
		means string
	}{
		{"signal", s.Signal, "the first source said that it is bad"},
		{"confirm", s.Confirm, "enough observers agreed, and the hold-down ended"},
		{"decide", s.Decide, "the plan was stored"},
		{"approve", s.Approve, "a person agreed"},
		{"apply", s.Apply, "every weight was read back"},
		{"converge", s.Converge, "every gateway showed its routes"},
		{"verify", s.Verify, "traffic was seen on the new circuit"},
	} {
		if st.at.IsZero() {
			continue
		}
		if first.IsZero() {
			first, before = st.at, st.at
		}
		l.Stages = append(l.Stages, Stage{Name: st.name, At: st.at.UTC(), TookMS: st.at.Sub(before).Milliseconds(), SinceMS: st.at.Sub(first).Milliseconds(), Means: st.means})
		before = st.at
	}
	l.RecoveryMS = before.Sub(first).Milliseconds()
	if objective > 0 && !s.Verify.IsZero() {
		met := before.Sub(first) <= objective
		l.Met = &met
	}
	return l
}

// Text draws the ledger for a terminal: one bar a stage, to scale.
func (l Ledger) Text() string {
	const width = 40
	var b strings.Builder
	for _, s := range l.Stages {
		from, to := 0, 0
		if l.RecoveryMS > 0 {
			from, to = int((s.SinceMS-s.TookMS)*width/l.RecoveryMS), int(s.SinceMS*width/l.RecoveryMS)
		}
		bar := strings.Repeat(" ", from) + strings.Repeat("█", max(to-from, 0))
		if s.TookMS > 0 && to == from {
			bar += "▏"
		}
		fmt.Fprintf(&b, "  %-9s %s  %8s  %8s  %s\n", s.Name, s.At.Format("15:04:05"), span(s.TookMS), span(s.SinceMS), strings.TrimRight(bar, " "))
	}
	fmt.Fprintf(&b, "  recovery  %s", span(l.RecoveryMS))
	if l.Met != nil {
		word := "within"
		if !*l.Met {
			word = "beyond"
		}
		fmt.Fprintf(&b, ", %s the objective of %s", word, span(l.ObjectiveMS))
	}
	b.WriteString("\n")
	return b.String()
}

// span renders milliseconds for people: "4.2s", "2m05s".
func span(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	default:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
}
