package hosttest

import (
	"context"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// schedule says when a timer is due next.
type schedule interface {
	Next(after time.Time) time.Time
}

// every is a schedule given as a TimeSpan.
type every time.Duration

// Next returns the instant one interval later.
func (e every) Next(after time.Time) time.Time { return after.Add(time.Duration(e)) }

// parseSchedule reads an NCRONTAB text of six fields, or of five, or a TimeSpan.
func parseSchedule(s string) (schedule, error) {
	if d, err := timeSpan(s); err == nil {
		if d <= 0 {
			return nil, fmt.Errorf("schedule: got %q, want more than zero", s)
		}
		return every(d), nil
	}
	p := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	sched, err := p.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("schedule: got %q, want six cron fields or hh:mm:ss", s)
	}
	return sched, nil
}

// startTimers starts every timer function of the app.
func (h *Host) startTimers() {
	if h.o.NoTimers {
		return
	}
	life := h.context()
	for _, f := range h.app.functions {
		if f.trigger.Type == "timerTrigger" {
			h.all.Go(func() { h.clock(life, f) })
		}
	}
}

// clock fires one timer by its schedule. The next interval counts from the end of
// a run, so a timer never overlaps itself and ticks during a long run are skipped.
func (h *Host) clock(life context.Context, f function) {
	sched, err := parseSchedule(f.trigger.Schedule)
	if err != nil {
		h.protocol(fmt.Errorf("%s: %w", f.name, err))
		return
	}
	if f.trigger.RunOnStartup {
		_ = h.fire(life, f, false)
	}
	for life.Err() == nil {
		now := h.now()
		if !h.sleep(life, sched.Next(now).Sub(now)) {
			return
		}
		_ = h.fire(life, f, false) // a failure does not stop the schedule; it is counted
	}
}

// fire runs a timer once.
func (h *Host) fire(ctx context.Context, f function, pastDue bool) error {
	now := h.now()
	sched, err := parseSchedule(f.trigger.Schedule)
	if err != nil {
		return err
	}
	next := sched.Next(now)
	// The host does without a monitor for what fires more often than each minute.
	monitored := (f.trigger.UseMonitor == nil || *f.trigger.UseMonitor) && sched.Next(next).Sub(next) >= time.Minute
	h.count(func(c *Counters) { c.Timers++ })
	return h.execute(ctx, f, timerEnvelope(f, now, next, now, monitored, pastDue))
}

// Fire runs a timer function now. pastDue says that it should have run before, as
// at the first start after an outage.
func (h *Host) Fire(name string, pastDue bool) error {
	for _, f := range h.app.functions {
		if f.name == name && f.trigger.Type == "timerTrigger" {
			return h.fire(h.context(), f, pastDue)
		}
	}
	return fmt.Errorf("hosttest: no timer function %q is on", name)
}
