package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// EvidenceSchema is the version of the JSON form of Evidence.
const EvidenceSchema = 1

// Evidence is the recovery report of one operation with what proves it: the entries
// that the journal has about it, each with its hash, and where the chain of the
// journal stood. CheckEvidence holds its JSON form against the journal later.
//
// The chain covers the entries. Of the operation it covers what the entries repeat:
// plan, epoch, reasons, the ended writes, the result. The first signal, the
// confirmation and the objective are the record's word.
type Evidence struct {
	Schema    int            `json:"schema"`
	Made      time.Time      `json:"made"` // when the report was made
	Operation Operation      `json:"operation"`
	Stream    string         `json:"stream"`  // the journal that tells of the operation
	Head      record.Head    `json:"head"`    // the end of the whole stream when the report was made
	Entries   []record.Entry `json:"entries"` // about the operation, oldest first, as they were written
}

// StreamOf returns the journal that tells of a group's operations.
func StreamOf(group string) string { return "group." + group }

// MakeEvidence picks the entries of an operation out of the rows of its whole
// stream. The chain is followed on the way, to exactly head: a journal that was
// edited is a Corrupt error, for then it proves nothing.
func MakeEvidence(op Operation, rows []record.Row, head record.Head, now time.Time) (Evidence, error) {
	e := Evidence{Schema: EvidenceSchema, Made: now.UTC(), Operation: op, Stream: StreamOf(op.Group), Head: head, Entries: []record.Entry{}}
	if err := record.VerifyTo(e.Stream, head, rows); err != nil {
		return Evidence{}, err
	}
	for _, row := range rows {
		entry, err := record.ParseEntry(row.Body)
		if err != nil {
			return Evidence{}, err
		}
		if entry.Operation == op.ID {
			e.Entries = append(e.Entries, entry)
		}
	}
	return e, nil
}

// JSON returns the form that CheckEvidence takes. The same evidence gives the same
// bytes.
func (e Evidence) JSON() ([]byte, error) {
	body, err := json.Marshal(e, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, &fault.Error{Op: "write report", Target: e.Operation.ID, Kind: fault.Internal, Err: err}
	}
	return append(body, '\n'), nil
}

// ParseEvidence reads the JSON form. An unknown or repeated field is an Invalid
// error: it would be in the report and in no check.
func ParseEvidence(body []byte) (Evidence, error) {
	bad := func(err error) error {
		return &fault.Error{Op: "read report", Kind: fault.Invalid, Err: err, Hint: "give the JSON form: erfailover report OPERATION --format json"}
	}
	var e Evidence
	if err := json.Unmarshal(body, &e, json.RejectUnknownMembers(true)); err != nil {
		return Evidence{}, bad(err)
	}
	if e.Schema != EvidenceSchema {
		return Evidence{}, bad(fmt.Errorf("schema: got %d, want %d", e.Schema, EvidenceSchema))
	}
	if e.Operation.ID == "" {
		return Evidence{}, bad(fmt.Errorf("operation.id: got nothing, want the operation's ID"))
	}
	return e, nil
}

// Markdown is the report of Operation.Markdown with the other direction and the
// journal below it.
func (e Evidence) Markdown() string {
	var b strings.Builder
	b.WriteString(e.Operation.Markdown())
	fmt.Fprintf(&b, "\n## The other direction\n\n%s\n", cell(onPremises(e.Operation)))
	fmt.Fprintf(&b, "\n## Journal\n\nStream `%s`, chain followed to entry %d, hash `%s`. Report made %s.\n\n", cell(e.Stream), e.Head.Seq, cell(e.Head.Hash), stamp(e.Made))
	if len(e.Entries) == 0 {
		b.WriteString("The journal has no entry about this operation.\n")
		return b.String()
	}
	b.WriteString("| entry | at | code | by | what | hash |\n|---|---|---|---|---|---|\n")
	for _, n := range e.Entries {
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s |\n", n.Seq, stamp(n.At), cell(n.Code), cell(n.Actor), cell(n.Text), cell(n.Hash))
	}
	return b.String()
}

// onPremises says what is known of the direction that weights do not steer, and what
// the on-premises side must still do.
func onPremises(o Operation) string {
	to := strings.Join(o.To, ", ")
	switch {
	case !o.moves():
		return "This operation moves no traffic: there is nothing to do on the on-premises side."
	case o.Status != record.Ended:
		return "The operation has not ended: do nothing on the on-premises side yet. Azure's side moves first, because it can be proven first."
	case o.Result == record.FailedOp:
		return "Not every write landed: first see below which gateways moved. Leave the local preference as it is until all of them have."
	case o.Result == record.Cancelled || o.Result == record.Overtaken:
		return "This operation did not end by its own plan: follow the one that came after it, not this one."
	}
	switch o.Symmetry {
	case record.Symmetric:
		return "Symmetric: both directions use " + to + ", seen in traffic. There is nothing to do on the on-premises side."
	case record.Asymmetric:
		return "Asymmetric: traffic from on-premises still comes in over " + orNone(o.From) + ". Raise the local preference of what your routers learn over " + to + ", now."
	case record.Unproven:
	}
	return "Unproven: weights steer only what leaves Azure, and it was not seen over which circuit your routers send. Look on your routers: if they still prefer " +
		orNone(o.From) + ", raise the local preference of what they learn over " + to + "."
}
