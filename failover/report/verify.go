package report

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/executor"
	"erfailover/failover/record"
)

// Truth is what a report is held against.
type Truth struct {
	Operation *Operation   // as the record has it now; nil when it has none of that ID
	Head      record.Head  // of the stream, from the group's document
	Rows      []record.Row // the whole stream
}

// Checked is what a check found.
type Checked struct {
	Differences []string `json:"differences"` // each says where, what the report says and what is true; none: the report holds
	Notes       []string `json:"notes"`       // what no journal can prove, and what came after the report
	Entries     int      `json:"entries"`     // of the report that are in the journal byte for byte
}

// OK reports whether the report holds.
func (c Checked) OK() bool { return len(c.Differences) == 0 }

func (c *Checked) differs(format string, args ...any) {
	c.Differences = append(c.Differences, fmt.Sprintf(format, args...))
}

// Differ notes a difference.
func (c *Checked) Differ(format string, args ...any) { c.differs(format, args...) }

// Note notes what only should be known.
func (c *Checked) Note(format string, args ...any) { c.note(format, args...) }

// Compare walks two JSON values, of the report and of the record, and notes the leaves
// that differ.
func (c *Checked) Compare(path string, got, want jsontext.Value) { compare(c, path, got, want) }

func (c *Checked) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// CheckEvidence holds a report against the journal and the record, and says all that
// differs: the chain of the journal, the report's place in it, every entry byte for
// byte, entries left out or foreign, the operation against the record, and the
// operation against its own entries.
func CheckEvidence(e Evidence, t Truth) Checked {
	c := Checked{Differences: []string{}, Notes: []string{}}
	if want := StreamOf(e.Operation.Group); e.Stream != want {
		c.differs("stream: the report names %q; operations of group %q are told in %q", e.Stream, e.Operation.Group, want)
		return c
	}
	if err := record.VerifyTo(e.Stream, t.Head, t.Rows); err != nil {
		c.differs("journal: %v", err)
	}
	checkHead(&c, e, t)
	checkEntries(&c, e, t)
	checkRecord(&c, e.Operation, t.Operation)
	checkWrites(&c, e)
	checkStages(&c, e)
	checkObjective(&c, e.Operation.Ledger, t.Operation)
	return c
}

// checkHead finds the report's end of the chain in the journal of today.
func checkHead(c *Checked, e Evidence, t Truth) {
	i := slices.IndexFunc(t.Rows, func(r record.Row) bool { return r.Seq == e.Head.Seq })
	if i < 0 {
		c.differs("head: the report was made at entry %d; the journal has no such entry", e.Head.Seq)
		return
	}
	entry, err := record.ParseEntry(t.Rows[i].Body)
	switch {
	case err != nil:
		c.differs("head: entry %d cannot be read: %v", e.Head.Seq, err)
	case entry.Hash != e.Head.Hash:
		c.differs("head: entry %d has the hash %q in the report and %q in the journal", e.Head.Seq, e.Head.Hash, entry.Hash)
	}
}

// checkEntries compares the entries one by one, in both directions.
func checkEntries(c *Checked, e Evidence, t Truth) {
	journal := make(map[uint64][]byte, len(t.Rows))
	for _, r := range t.Rows {
		journal[r.Seq] = r.Body
	}
	told := make(map[uint64]bool, len(e.Entries))
	last := uint64(0)
	for _, n := range e.Entries {
		if n.Seq <= last {
			c.differs("entry %d: it is twice in the report, or out of order", n.Seq)
		}
		last = max(last, n.Seq)
		told[n.Seq] = true
		if n.Operation != e.Operation.ID {
			c.differs("entry %d: it belongs to operation %q, not to %q", n.Seq, n.Operation, e.Operation.ID)
			continue
		}
		row, err := n.Row()
		switch body, there := journal[n.Seq]; {
		case n.Seq > e.Head.Seq:
			c.differs("entry %d: it comes after entry %d, at which the report was made", n.Seq, e.Head.Seq)
		case err != nil:
			c.differs("entry %d: its hash does not match its text: it was edited", n.Seq)
		case !there:
			c.differs("entry %d: the journal has none of that number", n.Seq)
		case !bytes.Equal(body, row.Body):
			c.differs("entry %d: the journal has another one of that number", n.Seq)
		default:
			c.Entries++
		}
	}
	later := 0
	for _, r := range t.Rows {
		n, err := record.ParseEntry(r.Body)
		if err != nil || n.Operation != e.Operation.ID || told[r.Seq] {
			continue // a row that cannot be read is named by the check of the chain
		}
		if r.Seq > e.Head.Seq {
			later++
			continue
		}
		c.differs("entry %d: the report leaves it out: %s %s", r.Seq, n.Code, n.Text)
	}
	if later > 0 {
		c.note("the journal has %d newer entries about this operation, written after the report was made", later)
	}
}

// checkRecord compares the operation with the record's, field by field. The
// objective belongs to the configuration and is looked at apart.
func checkRecord(c *Checked, got Operation, want *Operation) {
	if want == nil {
		c.differs("operation: the record has none with ID %q", got.ID)
		return
	}
	w := *want
	w.Ledger.ObjectiveMS, w.Ledger.Met = got.Ledger.ObjectiveMS, got.Ledger.Met
	if got.Status != record.Ended && w.Status == record.Ended {
		c.note("the report was made before the operation ended: make it anew")
	}
	a, err1 := json.Marshal(got, json.Deterministic(true))
	b, err2 := json.Marshal(w, json.Deterministic(true))
	if err1 != nil || err2 != nil {
		c.differs("operation: it cannot be compared: %v %v", err1, err2)
		return
	}
	compare(c, "operation", a, b)
}

// compare walks two JSON values and names the leaves that differ.
func compare(c *Checked, path string, got, want jsontext.Value) {
	if bytes.Equal(got, want) {
		return
	}
	var ga, wa []jsontext.Value
	if json.Unmarshal(got, &ga) == nil && json.Unmarshal(want, &wa) == nil && len(ga) == len(wa) && len(ga) > 0 {
		for i := range ga {
			compare(c, path+"["+strconv.Itoa(i)+"]", ga[i], wa[i])
		}
		return
	}
	gm, wm := map[string]jsontext.Value{}, map[string]jsontext.Value{}
	if json.Unmarshal(got, &gm) == nil && json.Unmarshal(want, &wm) == nil && gm != nil && wm != nil {
		names := make([]string, 0, len(gm)+len(wm))
		for k := range gm {
			names = append(names, k)
		}
		for k := range wm {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range slices.Compact(names) {
			compare(c, path+"."+k, gm[k], wm[k])
		}
		return
	}
	c.differs("%s: the report says %s, the record says %s", path, orNothing(got), orNothing(want))
}

func orNothing(v jsontext.Value) string {
	if len(v) == 0 {
		return "nothing"
	}
	return record.Clean(string(v), 300)
}

// checkWrites holds the operation's writes against the entries that tell of them.
func checkWrites(c *Checked, e Evidence) {
	told := map[string]record.Entry{}
	for _, n := range e.Entries {
		if n.Code == "step.ended" {
			told[n.Fields["connection"]] = n
		}
	}
	for i, s := range e.Operation.Steps {
		name := record.Clean(s.Connection, nameLimit)
		n, there := told[name]
		delete(told, name)
		ended := s.Phase == executor.Done || s.Phase == executor.Failed
		switch {
		case ended && !there:
			c.differs("operation.steps[%d]: it ended (%s), and no entry says so", i, s.Phase)
		case !ended && there:
			c.differs("operation.steps[%d]: entry %d says that it ended, the report says %q", i, n.Seq, s.Phase)
		case there:
			for _, f := range []struct{ name, says string }{
				{"from", strconv.Itoa(int(s.From))}, {"to", strconv.Itoa(int(s.To))},
				{"attempts", strconv.Itoa(s.Attempts)}, {"correlation", s.Correlation},
			} {
				if says := record.Clean(f.says, nameLimit); n.Fields[f.name] != says {
					c.differs("operation.steps[%d].%s: the report says %q, entry %d says %q", i, f.name, says, n.Seq, n.Fields[f.name])
				}
			}
		}
	}
	for _, n := range e.Entries {
		if _, left := told[n.Fields["connection"]]; left && n.Code == "step.ended" {
			c.differs("entry %d: it tells of a write that the operation does not have: %s", n.Seq, n.Fields["connection"])
		}
	}
}

// nameLimit is what the journal keeps of an ID, in bytes.
const nameLimit = 512

// checkStages holds plan, reasons, stages and result against the entries. A stage is
// stamped right before its entry is written, in the same save.
func checkStages(c *Checked, e Evidence) {
	const slack = time.Minute
	o := e.Operation
	at := map[string]time.Time{}
	for _, s := range o.Ledger.Stages {
		at[s.Name] = s.At
	}
	seen := map[string]bool{}
	for _, n := range e.Entries {
		seen[n.Code] = true
		switch n.Code {
		case "operation.decided":
			if n.Plan != o.Plan || n.Epoch != o.Epoch {
				c.differs("operation.plan: the report says %s of epoch %d, entry %d says %s of epoch %d", o.Plan, o.Epoch, n.Seq, n.Plan, n.Epoch)
			}
			if n.Fields["writes"] != strconv.Itoa(len(o.Steps)) {
				c.differs("operation.steps: the report has %d, entry %d says %s", len(o.Steps), n.Seq, n.Fields["writes"])
			}
		case "operation.applied", "operation.converged":
			name := map[string]string{"operation.applied": "apply", "operation.converged": "converge"}[n.Code]
			if gap := n.At.Sub(at[name]); gap < 0 || gap > slack {
				c.differs("operation.ledger %s: the report says %s, entry %d was written %s", name, stamp(at[name]), n.Seq, stamp(n.At))
			}
		case "operation.ended":
			if n.Fields["result"] != string(o.Result) || n.Fields["symmetry"] != string(o.Symmetry) {
				c.differs("operation.result: the report says %s and %s, entry %d says %s and %s", o.Result, o.Symmetry, n.Seq, n.Fields["result"], n.Fields["symmetry"])
			}
			if at["verify"].After(n.At) {
				c.differs("operation.ledger verify: the report says %s, entry %d ended the operation at %s", stamp(at["verify"]), n.Seq, stamp(n.At))
			}
		}
	}
	own := o.Result == record.Proven || o.Result == record.AppliedOK || o.Result == record.FailedOp
	if own && !seen["operation.decided"] {
		c.differs("operation: no entry tells of its decision")
	}
	if own && !seen["operation.ended"] {
		c.differs("operation.result: the report says %s, no entry tells of an end", o.Result)
	}
}

// checkObjective looks at what the configuration gave to the report.
func checkObjective(c *Checked, l Ledger, now *Operation) {
	verified := slices.ContainsFunc(l.Stages, func(s Stage) bool { return s.Name == "verify" })
	judged := l.ObjectiveMS > 0 && verified
	switch {
	case judged != (l.Met != nil):
		c.differs("operation.ledger.objective_met: there is a verdict without an objective or without traffic seen, or none with both")
	case judged && *l.Met != (l.RecoveryMS <= l.ObjectiveMS):
		c.differs("operation.ledger.objective_met: the report says %t; a recovery of %s against %s is %t", *l.Met, span(l.RecoveryMS), span(l.ObjectiveMS), !*l.Met)
	}
	if now != nil && now.Ledger.ObjectiveMS != l.ObjectiveMS {
		c.note("the report was judged against an objective of %s, the configuration now says %s: the journal does not tell which held then", orSpan(l.ObjectiveMS), orSpan(now.Ledger.ObjectiveMS))
	}
	c.note("not in this journal, and taken from the record and the configuration: the first signal, the confirmation, the objective, the instant at which traffic was seen, the time of the report")
}

func orSpan(ms int64) string {
	if ms == 0 {
		return "none"
	}
	return span(ms)
}
