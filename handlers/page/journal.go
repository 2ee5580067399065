package page

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/fault"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// perPage is how many journal entries one page shows.
const perPage = 50

// journalView is one page of a journal, newest first.
type journalView struct {
	Name    string
	Key     string
	Entries []entryView
	Older   string // the number to go on from; "" at the beginning
	Newer   bool   // this is not the newest page
}

// entryView is one entry.
type entryView struct {
	Seq       uint64
	At        time.Time
	Mark      string // the kind as a sign
	Class     string // event, decision, hold, person, done
	Code      string
	Lead      string // what it is about: groups, or the circuit
	Circuit   string
	Operation string // key for a link
	Text      string
	Reasons   string
	Actor     string

	id string
}

func newEntry(e record.Entry) entryView {
	v := entryView{Seq: e.Seq, At: e.At, Code: label(e.Code), Lead: "estate", Operation: linkable(e.Operation), Text: prose(e.Text), id: e.Hash}
	if e.Circuit != "" {
		v.Circuit = label(e.Circuit)
		v.Lead = v.Circuit
	}
	if e.Group != "" {
		v.Lead = label(e.Group)
	}
	if e.Actor != "" {
		v.Actor = label(e.Actor)
	}
	if len(e.Reasons) > 0 {
		v.Reasons = labels(e.Reasons)
	}
	if v.Text == "" {
		v.Text = v.Code
	}
	v.Class, v.Mark = classOf(e)
	return v
}

// classOf sorts an entry by its code, which begins with what it is about.
func classOf(e record.Entry) (class, mark string) {
	about, what, _ := strings.Cut(e.Code, ".")
	switch {
	case e.Code == "verdict.changed" && len(e.Reasons) == 1 && e.Reasons[0] == string(policy.Well):
		return "done", "✓"
	case e.Code == "verdict.changed" && strings.HasPrefix(e.Text, "hold"):
		return "hold", "⊘"
	case about == "verdict" || what == "decided":
		return "decision", "◆"
	case about == "order" || e.Actor != "":
		return "person", "☞"
	case about == "signal" || about == "circuit" || about == "weight":
		return "event", "●"
	}
	return "done", "·"
}

// newest identifies the newest entries, for the version of a screen.
func newest(list []entryView) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(e.id)
	}
	return b.String()
}

// getJournal shows a page of a journal.
func (s *server) getJournal(w http.ResponseWriter, r *http.Request) {
	stream := r.URL.Query().Get("journal")
	sc := s.newScreen(r, "journal", "Journal of "+label(stream))
	sc.At = sc.Now
	var before uint64
	var err error
	if text := r.URL.Query().Get("before"); text != "" {
		if before, err = strconv.ParseUint(text, 10, 64); err != nil {
			s.problem(w, r, http.StatusBadRequest, "The number of the entry is not usable", "Follow the links of the page.")
			return
		}
	}
	sees := s.sees(r)
	if sees != nil {
		look, _, _, err := s.look(r)
		if err != nil || !report.SeesStream(look.Estate, stream, sees) {
			s.problem(w, r, http.StatusNotFound, "The journal cannot be read", "There is no such journal.")
			return
		}
	}
	list, err := s.Journal(r.Context(), stream, before, perPage)
	if err != nil {
		s.failed(w, r, "The journal cannot be read", err)
		return
	}
	last := list
	list = report.NarrowEntries(list, sees)
	v := &journalView{Name: label(stream), Key: stream, Newer: before != 0}
	for _, e := range list {
		v.Entries = append(v.Entries, newEntry(e))
	}
	if n := len(last); n > 0 && last[n-1].Seq > 1 {
		v.Older = strconv.FormatUint(last[n-1].Seq, 10)
	}
	sc.Journal = v
	if name, ok := strings.CutPrefix(stream, "group."); ok {
		sc.Group = label(name)
	}
	s.send(w, http.StatusOK, sc)
}

// getOperation shows one operation.
func (s *server) getOperation(w http.ResponseWriter, r *http.Request) {
	op, err := s.Options.Operation(r.Context(), r.URL.Query().Get("operation"))
	if sees := s.sees(r); err == nil && sees != nil && !sees(op.Group) {
		err = &fault.Error{Op: "find the operation", Kind: fault.NotFound}
	}
	if err != nil {
		s.failed(w, r, "The operation cannot be shown", err)
		return
	}
	sc := s.newScreen(r, "operation", "")
	sc.At = sc.Now
	v := newOperation(op, sc.Now)
	if unchanged(w, r, sc.Now, sumOf([]byte(s.rev), []byte(r.URL.RawQuery), fmt.Appendf(nil, "%+v", op))) {
		return
	}
	sc.Operation, sc.Group = &v, v.Group
	sc.Title = capital(v.Kind) + " of " + v.Group
	if v.Running {
		sc.Poll = 3
	}
	s.send(w, http.StatusOK, sc)
}
