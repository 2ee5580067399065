package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/policy"
)

func (f *finding) drill(key string, d Drill, groups map[string]Group) {
	switch _, ok := groups[d.Group]; {
	case d.Group == "":
		f.bad(key+".group", missing, "a configured group's name")
	case !ok && len(groups) > 0:
		f.bad(key+".group", show(d.Group), "a configured group: "+suggest(d.Group, slices.Sorted(maps.Keys(groups))))
	}
	word(f, key+".kind", d.Kind, drillKinds()...)
	if _, err := policy.ParseZone(d.Timezone); err != nil {
		f.bad(key+".timezone", show(d.Timezone), "an IANA time zone name like America/New_York")
	}
	if d.Link != "" {
		word(f, key+".link", d.Link, events.Primary, events.Secondary)
		if d.Kind != DrillLink {
			f.bad(key+".link", string(d.Link), "kind link with it; the other kinds cut no single link")
		}
	}
	f.schedule(key+".schedule", d.Schedule)
	f.span(key+".hold", d.Hold, time.Second, time.Minute, dayLong)
	f.span(key+".limit", d.Limit, time.Second, time.Minute, dayLong)
	if d.Limit <= d.Hold {
		f.bad(key+".limit", formatDuration(d.Limit), "longer than hold ("+formatDuration(d.Hold)+")")
	}
	f.span(key+".announce", d.Announce, 0, 0, 30*dayLong)
	f.span(key+".jitter", d.Jitter, 0, 0, dayLong)
	if d.Objective != 0 {
		f.span(key+".objective", d.Objective, time.Second, 10*time.Second, dayLong)
	}
	for i, b := range d.Blackout {
		if !date(b.First) || !date(b.Last) || b.First > b.Last {
			f.bad(fmt.Sprintf("%s.blackout[%d]", key, i), show(b.String()), wantDates+", the earlier one first")
		}
	}
	for i, c := range d.Calendars {
		if !c.good() || strings.Contains(string(c), "://") && !calendarURL(string(c)) {
			f.bad(fmt.Sprintf("%s.calendars[%d]", key, i), hidden, wantCalendar)
		}
	}
	circuits := slices.Concat(groups[d.Group].Preference...)
	for i, s := range d.Block {
		f.drillSignal(fmt.Sprintf("%s.block[%d]", key, i), s, circuits)
	}
	for i, s := range d.Abort {
		f.drillSignal(fmt.Sprintf("%s.abort[%d]", key, i), s, circuits)
	}
}

// calendarURL says whether s is an https URL with a host and without a user. A query
// may be there: shared calendars carry their key in it.
func calendarURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.Fragment == ""
}

// drillSignal checks that a signal says something, about a circuit of the group.
func (f *finding) drillSignal(key string, s DrillSignal, circuits []string) {
	if s.State == "" && s.Above == nil && s.Below == nil {
		f.bad(key, missing, "state, above or below: what the evidence must say")
	}
	if s.State != "" {
		word(f, key+".state", s.State, badStates()...)
	}
	if s.Observer != "" {
		word(f, key+".observer", s.Observer, observers()...)
	}
	if s.Circuit != "" && len(circuits) > 0 && !slices.Contains(circuits, s.Circuit) {
		f.bad(key+".circuit", show(s.Circuit), "a circuit of the drill's group: "+suggest(s.Circuit, circuits))
	}
	if s.Above != nil && s.Below != nil && *s.Above >= *s.Below {
		f.bad(key+".above", fmt.Sprint(*s.Above), fmt.Sprintf("less than below (%v): the value lies between the two", *s.Below))
	}
}

// schedule checks that a cron text can be read and that its day ever comes; the
// 30th of February does not.
func (f *finding) schedule(key, s string) {
	if s == "" {
		f.bad(key, missing, wantCron)
		return
	}
	when, err := parseCron(s)
	if err != nil {
		f.bad(key, show(s), wantCron)
		return
	}
	if when.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		f.bad(key, show(s), "a cron schedule whose day comes; this one never does")
	}
}

// String returns the form of the file.
func (d Dates) String() string {
	if d.First == d.Last {
		return d.First
	}
	return d.First + "/" + d.Last
}

func date(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}
