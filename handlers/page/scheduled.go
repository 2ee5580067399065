package page

import (
	"slices"
	"time"

	"erfailover/failover/report"
)

// formTime is how a browser writes the time of a datetime-local field. The page asks
// for UTC and says so.
const formTime = "2006-01-02T15:04"

// scheduledView is a move that was ordered for a time to come.
type scheduledView struct {
	ID, Key          string // for links; "" when it cannot be one
	What, By, Reason string
	At               time.Time
}

func newScheduled(o report.Scheduled) scheduledView {
	v := scheduledView{ID: linkable(o.ID), Key: o.ID, What: label(string(o.Verb)), By: label(o.By), Reason: prose(o.Reason), At: o.NotBefore}
	switch {
	case o.To != "":
		v.What += " to " + label(o.To)
	case o.From != "":
		v.What += " of " + label(o.From)
	}
	return v
}

// scheduledOf finds a scheduled order of a group by its ID.
func scheduledOf(g report.GroupStatus, id string) *scheduledView {
	i := slices.IndexFunc(g.Scheduled, func(o report.Scheduled) bool { return o.ID == id })
	if i < 0 || id == "" {
		return nil
	}
	v := newScheduled(g.Scheduled[i])
	return &v
}

// notBefore reads the time that a person asked for; zero for now. ok is false when
// it cannot be read.
func (a *asked) notBefore() (at time.Time, ok bool) {
	if a.At == "" {
		return time.Time{}, true
	}
	at, err := time.Parse(formTime, a.At)
	return at, err == nil
}
