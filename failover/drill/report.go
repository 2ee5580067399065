package drill

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// Report is a run with everything that was measured, for an auditor or the morning
// after.
type Report struct {
	Made        time.Time          `json:"made"`
	Name        string             `json:"name"`
	Group       string             `json:"group"`
	ObjectiveMS int64              `json:"objective_ms,omitzero"`
	HoldMS      int64              `json:"hold_ms,omitzero"`
	Outcome     Outcome            `json:"outcome"`
	Run         Run                `json:"run"`
	Operations  []report.Operation `json:"operations,omitempty"` // that moved, and that returned
	Entries     []record.Entry     `json:"entries"`              // of the drill's journal about this run, with their hashes
	Head        record.Head        `json:"head"`                 // where that journal stood
}

// ReportInput is what a report is made of.
type ReportInput struct {
	Ended      Ended
	Now        time.Time
	Operations []report.Operation
	Rows       []record.Row // of the whole stream of the drill
	Head       record.Head
}

// MakeReport makes the report of a run. The chain of the drill's journal is followed
// on the way: one that was edited proves nothing.
func MakeReport(in ReportInput) (Report, error) {
	e := in.Ended
	r := Report{Made: in.Now.UTC(), Name: e.Name, Group: e.Group, ObjectiveMS: e.ObjectiveMS, HoldMS: e.HoldMS, Outcome: e.Outcome, Run: e.Run, Operations: in.Operations, Entries: []record.Entry{}}
	head, err := record.Verify(Stream(e.Name), record.Head{}, in.Rows)
	if err != nil {
		return Report{}, err
	}
	r.Head = head
	for _, row := range in.Rows {
		entry, err := record.ParseEntry(row.Body)
		if err != nil {
			return Report{}, err
		}
		if entry.Operation == e.Run.ID {
			if len(r.Entries) == 0 { // the notice came before the run had a name
				r.Entries = append(r.Entries, lead(in.Rows, entry.Seq)...)
			}
			r.Entries = append(r.Entries, entry)
		}
	}
	return r, nil
}

// lead returns the entries before a run's first one that belong to it: its order and
// its announcement.
func lead(rows []record.Row, first uint64) []record.Entry {
	var out []record.Entry
	for _, row := range slices.Backward(rows) {
		if row.Seq >= first {
			continue
		}
		entry, err := record.ParseEntry(row.Body)
		if err != nil || (entry.Code != "drill.announce" && entry.Code != "drill.order") {
			break
		}
		out = append(out, entry)
	}
	slices.Reverse(out)
	return out
}

// JSON returns the report for machines. The same report gives the same bytes.
func (r Report) JSON() ([]byte, error) {
	body, err := json.Marshal(r, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, &fault.Error{Op: "write report", Target: r.Name, Kind: fault.Internal, Err: err}
	}
	return append(body, '\n'), nil
}

// Title names a run.
func (r Report) Title() string {
	return fmt.Sprintf("Drill %s: %s of %s", r.Name, r.Outcome.Kind, r.Group)
}

// Word says how a run stands, in one word.
func (r Report) Word() string {
	if r.Outcome.Result == "" {
		return "running"
	}
	return string(r.Outcome.Result)
}

// Sentence says what that means.
func (r Report) Sentence() string {
	switch r.Outcome.Result {
	case Passed:
		if r.Outcome.Kind == Tabletop {
			return "A rehearsal on paper: it was decided and planned, and nothing was written."
		}
		return "Traffic moved to the standby, was seen there, came home, and every weight is exactly as it was."
	case Failed:
		return "Something that had to be proven was not: " + r.Outcome.Why + "."
	case Refused:
		return "It did not begin, and nothing was written: " + r.Outcome.Why + "."
	case Aborted:
		return "A bad sign ended it early, and everything is as it was: " + r.Outcome.Why + "."
	case Overtaken:
		return "Real trouble came, and the incident took over: " + r.Outcome.Why + "."
	case Stopped:
		return "It was stopped: " + r.Outcome.Why + "."
	case Cancelled:
		return "It was called off before it began: " + r.Outcome.Why + "."
	}
	return "It has not ended; this report tells of it as it stands."
}

// weightRow is one connection before, during and after.
type weightRow struct {
	Group, Gateway, Connection, Circuit string
	Before, During, After               string
	Same                                bool
	Taken                               bool // not as before, because the incident has it
}

// weights lays the three looks side by side.
func (r Report) weights() []weightRow {
	look := func(list []Rest, id string) (Rest, bool) {
		i := slices.IndexFunc(list, func(x Rest) bool { return x.Connection == id })
		if i < 0 {
			return Rest{}, false
		}
		return list[i], true
	}
	text := func(x Rest, known bool) string {
		switch {
		case !known:
			return "not read"
		case x.Epoch == "":
			return fmt.Sprint(x.Weight)
		}
		return fmt.Sprintf("%d, tag %s", x.Weight, x.Epoch)
	}
	var out []weightRow
	for _, u := range r.Run.Undo {
		during, seen := look(r.Run.During, u.Connection)
		after, read := look(r.Run.After, u.Connection)
		out = append(out, weightRow{Group: u.Group, Connection: name(u.Connection), Circuit: u.Circuit, Before: text(u, true), During: text(during, seen), After: text(after, read), Same: read && after == u, Taken: read && after != u && r.Outcome.Weights == WeightsIncident})
	}
	return out
}

// stop is one instant on the drawn line of a run.
type stop struct {
	Name string
	At   time.Time
	X    float64
	Row  int // names that would run into each other stand on rows of their own
}

// The drawn line, in units of its view box.
const (
	lineLeft  = 20.0
	lineWidth = 800.0
	nameWidth = 92.0
	lineRows  = 4
)

// line draws the instants of a run to scale.
func (r Report) line() []stop {
	run := r.Run
	var out []stop
	add := func(name string, at time.Time) {
		if !at.IsZero() {
			out = append(out, stop{Name: name, At: at})
		}
	}
	for _, e := range r.Entries {
		if e.Code == "drill.announce" {
			add("announced", e.At)
		}
	}
	add("armed", run.ArmedAt)
	add("read back, moved", run.SeenAt)
	for _, o := range r.Operations {
		for _, s := range o.Ledger.Stages {
			if s.Name == "verify" && o.ID == firstOut(run) {
				add("traffic seen", s.At)
			}
		}
	}
	add("held", run.HeldAt)
	add("way home", run.ReturnAt)
	add("ended", r.Outcome.Ended)
	if len(out) < 2 {
		return nil
	}
	slices.SortStableFunc(out, func(a, b stop) int { return a.At.Compare(b.At) })
	if gap := out[1].At.Sub(out[0].At); out[0].Name == "announced" && gap > out[len(out)-1].At.Sub(out[1].At) {
		out = out[1:] // days of notice would leave no room for the run
	}
	first, whole := out[0].At, max(out[len(out)-1].At.Sub(out[0].At), time.Second)
	var ends [lineRows]float64
	for i := range out {
		out[i].X = lineLeft + lineWidth*float64(out[i].At.Sub(first))/float64(whole)
		for out[i].Row < lineRows-1 && ends[out[i].Row] > out[i].X {
			out[i].Row++
		}
		ends[out[i].Row] = out[i].X + nameWidth
	}
	return out
}

func firstOut(r Run) string {
	if len(r.Legs) == 0 {
		return ""
	}
	return r.Legs[0].Out
}

// span renders milliseconds for people: "4.2s", "2m05s".
func span(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// HTML returns the report as one page that needs nothing else: no script, no font, no
// image and no style from anywhere. It prints in black and white.
func (r Report) HTML() ([]byte, error) {
	var b bytes.Buffer
	if err := pageTemplate().Execute(&b, map[string]any{"R": r, "Run": r.Run, "O": r.Outcome, "Weights": r.weights(), "Line": r.line(), "Slices": r.slices(), "Class": class(r.Outcome.Result)}); err != nil {
		return nil, &fault.Error{Op: "write report", Target: r.Name, Kind: fault.Internal, Err: err}
	}
	return b.Bytes(), nil
}

// class says by colour what the word says.
func class(r Result) string {
	switch r {
	case Passed:
		return "good"
	case Failed:
		return "bad"
	case Refused, Aborted, Overtaken, Stopped, Cancelled:
	}
	return "fair"
}

// pageTemplate is the page, parsed when one is asked for and not at every start of the
// program. Texts come from events and from people: what could hide or turn text around
// is taken out before the template escapes the rest.
func pageTemplate() *template.Template {
	return template.Must(template.New("drill").Funcs(template.FuncMap{
		"plain": func(s any) string { return record.Clean(fmt.Sprint(s), 4096) },
		"leaf":  func(id string) string { return record.Clean(name(id), 256) },
		"names": func(s []string) string { return record.Clean(strings.Join(s, ", "), 4096) },
		"stamp": func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return stamp(t)
		},
		"clock": func(t time.Time) string { return t.UTC().Format("15:04:05Z") },
		"span":  span,
		"shift": func(x float64) string { return fmt.Sprintf("%.1f", 20+x) },
		"drop":  func(y float64) string { return fmt.Sprintf("%.1f", 16+y) },
		"coord": func(x float64) string { return fmt.Sprintf("%.1f", x) },
		"below": func(row int) int { return 44 + 28*row },
		"yes":   func(p Proven) string { return map[Proven]string{Seen: "good", NotSeen: "bad", NotRead: "soft"}[p] },
	}).Parse(pageText))
}
