package failover

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// mostLost is how many rows of a lost state are read for levers, the newest ones.
const mostLost = 5000

// adoptLevers looks for levers in the rows that a state wrote which is lost, and takes
// them up again with the deadline that was promised before each was pulled. Azure's tests
// carry no mark of ours, so the journal is the witness: a row of a lever that was armed
// and not put back. Rejoin has just put its note before what g has pending. Putting a
// lever back begins with a read, so one that is back already is left alone; and of a test
// that began before the lever was armed it is known that it is not ours.
func (e *Engine) adoptLevers(ctx context.Context, stream string, g *record.Group) error {
	lost, err := e.lostRows(ctx, stream, g.Pending[0])
	if err != nil {
		return err
	}
	pulled := map[string]record.Entry{} // operation and resource: the row that armed it
	for _, row := range lost {
		key := row.Operation + " " + row.Fields["resource"] + " " + row.Fields["link"]
		switch row.Code {
		case CodeLeverArmed:
			pulled[key] = row
		case CodeLeverBack:
			delete(pulled, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(pulled)) {
		row := pulled[key]
		if slices.ContainsFunc(g.Cuts, func(c record.Cut) bool {
			return c.Operation == row.Operation && c.Pull.Connection == row.Fields["resource"]
		}) {
			continue // the copy knew of it
		}
		now := e.Clock.Now()
		cut, ok := e.cutOf(row, g.Name, len(g.Cuts))
		entry := record.Entry{At: now, Code: CodeLeverAdopted, Group: g.Name, Operation: row.Operation, Circuit: row.Circuit, Fields: row.Fields,
			Text: leverName(cut.Pull.Step) + " was armed by a state that is lost; it is put back at " + row.Fields["deadline"] + ", as was promised"}
		if !ok {
			entry.Text = "a lever on " + short(row.Fields["resource"]) + " was armed by a state that is lost, and its row tells too little to put it back: look in Azure whether it is still pulled, and end it there"
		} else {
			g.Cuts = append(g.Cuts, cut)
		}
		g.Add(stream, entry)
		e.Log.Error().Str("event", CodeLeverAdopted).Str("group", g.Name).Str("operation", row.Operation).Str("resource", row.Fields["resource"]).Str("deadline", row.Fields["deadline"]).Bool("adopted", ok).Msg("the record went back, and a lever was pulled that it has lost")
	}
	return nil
}

// lostRows reads the rows that a note of Rejoin names, oldest first. Rows that are gone
// themselves, and those that cannot be read, tell nothing.
func (e *Engine) lostRows(ctx context.Context, stream string, note record.Entry) ([]record.Entry, error) {
	first, err := strconv.ParseUint(note.Fields["first"], 10, 64)
	last, err2 := strconv.ParseUint(note.Fields["last"], 10, 64)
	if note.Code != CodeRejoined || err != nil || err2 != nil {
		return nil, nil
	}
	if last >= mostLost {
		first = max(first, last-mostLost+1)
	}
	var out []record.Entry
	for seq := first; seq <= last; seq++ {
		doc, err := e.Store.Load(ctx, record.RowKey(stream, seq))
		if errors.Is(err, fault.NotFound) {
			break // the journal went back, not the record
		}
		if err != nil {
			return nil, err
		}
		if row, err := record.ParseEntry(doc.Body); err == nil {
			out = append(out, row)
		}
	}
	return out, nil
}

// cutOf makes of a row what had been stored with it; false when the row tells too little.
func (e *Engine) cutOf(row record.Entry, group string, n int) (record.Cut, bool) {
	lever, link := policy.Lever(row.Fields["lever"]), row.Fields["link"]
	deadline, err := time.Parse(time.RFC3339, row.Fields["deadline"])
	step := planner.Step{Connection: row.Fields["resource"], Circuit: row.Circuit, Location: row.Fields["location"], Link: link, Cut: true}
	ok := err == nil && step.Connection != "" && row.Circuit != ""
	switch lever {
	case policy.LeverDisconnect:
		step.Kind, step.Gateway = planner.Disconnect, step.Connection
		ok = ok && step.Location != ""
	case policy.LeverLink:
		step.Kind = planner.CutLink
		ok = ok && link != ""
	case policy.LeverPeering:
		step.Kind = planner.CutPeering
	default:
		ok = false
	}
	c := record.Cut{ID: "c-" + strings.TrimPrefix(row.Operation, "op-") + "-lost-" + strconv.Itoa(n), Operation: row.Operation, Lever: lever, Link: link, Circuits: []string{row.Circuit},
		At: row.At, Deadline: deadline, Pull: executor.StepState{Step: step, Phase: executor.Done, Since: row.At, FirstAt: row.At, AppliedAt: row.At}}
	for _, t := range e.Topology.Groups {
		for _, name := range t.Circuits() {
			if t.Name == group && name != row.Circuit {
				c.Survivors = append(c.Survivors, name)
			}
		}
	}
	return c, ok
}

// leverFields says in the journal all that it takes to put a lever back, should the
// document that holds it be lost.
func leverFields(s planner.Step, lever policy.Lever, deadline time.Time) map[string]string {
	out := map[string]string{"lever": string(lever), "resource": s.Connection, "deadline": deadline.UTC().Format(time.RFC3339)}
	if s.Location != "" {
		out["location"] = s.Location
	}
	if s.Link != "" {
		out["link"] = s.Link
	}
	return out
}

// backFields names a lever that is back, as its being armed was named.
func backFields(c record.Cut, more ...string) map[string]string {
	out := map[string]string{"lever": string(c.Lever), "resource": c.Pull.Connection}
	if c.Link != "" {
		out["link"] = c.Link
	}
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// lookAhead notices that the journal goes on behind the end that the record knows: a copy
// of the record came back, and nothing has been journaled since that would have shown it.
// The entry makes the next save find out, and take up what was lost.
func (w *work) lookAhead(ctx context.Context) {
	_, err := w.Store.Load(ctx, record.RowKey(stream(w.g.Name), w.g.Head.Seq+1))
	if err == nil { // or another instance has just written: then the save is refused, and the beat begins anew
		w.note(record.Entry{Code: CodeRejoined, Text: "the journal holds rows that the record has not heard of"})
	}
}
