package drill

import (
	"time"
)

// View is a drill as people and machines see it.
type View struct {
	Name        string    `json:"name"`
	Group       string    `json:"group"`
	Kind        Kind      `json:"kind"`
	Phase       Phase     `json:"phase"`
	Says        string    `json:"says"` // a sentence: what it does or waits for
	Schedule    string    `json:"schedule"`
	Timezone    string    `json:"timezone"`
	Next        time.Time `json:"next,omitzero"` // planned start
	AnnouncedAt time.Time `json:"announced_at,omitzero"`
	HoldMS      int64     `json:"hold_ms"`
	LimitMS     int64     `json:"limit_ms"`
	AnnounceMS  int64     `json:"announce_ms"`
	ObjectiveMS int64     `json:"objective_ms,omitzero"`
	Running     bool      `json:"running"`
	Run         *Run      `json:"run,omitempty"`      // the one that is on, or what is known of the next
	Blocked     []Flag    `json:"blocked,omitempty"`  // why no run begins now
	Calendars   string    `json:"calendars,omitzero"` // why a blackout calendar cannot be read, or is a copy
	Last        *Outcome  `json:"last,omitempty"`
	History     []Outcome `json:"history,omitempty"` // newest first
}

// MakeView makes the view of a drill.
func MakeView(s Spec, d Document, schedule, zone string, now time.Time) View {
	if d.Phase == "" {
		d.Phase = Idle
	}
	v := View{Name: s.Name, Group: s.Group, Kind: s.Kind, Phase: d.Phase, Says: says(s, d, now), Schedule: schedule, Timezone: zone, Next: d.Next, AnnouncedAt: d.AnnouncedAt,
		HoldMS: s.hold(d.Run).Milliseconds(), LimitMS: s.Limit.Milliseconds(), AnnounceMS: s.Announce.Milliseconds(), ObjectiveMS: s.Objective.Milliseconds(),
		Running: Running(d), Blocked: lapsed(d.Flags, now), Calendars: firstText(s.Blind, s.Copied), Last: d.Last, History: d.History}
	if v.Running || d.By != "" {
		run := d.Run
		v.Run = &run
	}
	if v.Next.IsZero() && !v.Running {
		v.Next = s.Calendar.Next(now)
	}
	return v
}

// says tells in a sentence what a drill does or waits for.
func says(s Spec, d Document, now time.Time) string {
	switch d.Phase {
	case Idle:
		next := d.Next
		if next.IsZero() {
			next = s.Calendar.Next(now)
		}
		if next.IsZero() {
			return "no start is in sight"
		}
		return "next at " + stamp(next)
	case Announced:
		return "announced for " + stamp(due(d, s))
	case Armed:
		return "the way back is stored until " + stamp(d.Deadline) + "; nothing was moved yet"
	case Moving:
		return "moving to the standby; home again by " + stamp(d.Deadline) + " whatever happens"
	case Holding:
		return "traffic is on the standby until " + stamp(sooner(d.Deadline, d.HeldAt.Add(s.hold(d.Run))))
	case Returning:
		text := "on the way home"
		if d.Why != "" {
			text += ": " + d.Why
		}
		return text
	}
	return string(d.Phase)
}
