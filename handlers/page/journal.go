package page

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/record"
)

// perPage is how many journal entries one page shows.
const perPage = 50

// journalView is one page of a group's journal, newest first.
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
	Group     string
	Circuit   string
	Operation string // key for a link
	Text      string
	Reasons   string
	Actor     string

	id string
}

// nameOf names a journal: "" is the estate's own.
func nameOf(group string) string {
	if group == "" {
		return "estate"
	}
	return label(group)
}

func newEntry(e record.Entry) entryView {
	v := entryView{Seq: e.Seq, At: e.At, Code: label(e.Code), Group: nameOf(e.Group), Operation: linkable(e.Operation), Text: prose(e.Text), id: e.Hash}
	if e.Circuit != "" {
		v.Circuit = label(e.Circuit)
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
	case e.Code == "verdict.changed" && strings.HasPrefix(e.Text, "hold"):
		return "hold", "⏸"
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
	key := r.URL.Query().Get("journal")
	name := strings.TrimPrefix(key, ".") // no group has this name: the estate's own
	look, _, err := s.looks.get(r.Context(), s.Fresh, s.Look)
	if err != nil {
		s.failed(w, r, "The state of the estate cannot be read", err)
		return
	}
	if _, ok := groupOf(look.Status, name); !ok && name != "" {
		s.problem(w, r, http.StatusNotFound, "There is no such journal", "Journals are named like the groups.")
		return
	}
	var before uint64
	if text := r.URL.Query().Get("before"); text != "" {
		if before, err = strconv.ParseUint(text, 10, 64); err != nil {
			s.problem(w, r, http.StatusBadRequest, "The number of the entry is not usable", "Follow the links of the page.")
			return
		}
	}
	list, err := s.Journal(r.Context(), name, before, perPage)
	if err != nil {
		s.failed(w, r, "The journal cannot be read", err)
		return
	}
	v := &journalView{Name: nameOf(name), Key: key, Newer: before != 0}
	for _, e := range list {
		v.Entries = append(v.Entries, newEntry(e))
	}
	if n := len(list); n > 0 && list[n-1].Seq > 1 {
		v.Older = strconv.FormatUint(list[n-1].Seq, 10)
	}
	sc := s.newScreen(r, "journal", "Journal of "+v.Name)
	s.about(&sc, look)
	sc.Journal, sc.Group = v, v.Name
	s.send(w, http.StatusOK, sc)
}

// getOperation shows one operation.
func (s *server) getOperation(w http.ResponseWriter, r *http.Request) {
	op, err := s.Options.Operation(r.Context(), r.URL.Query().Get("operation"))
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
