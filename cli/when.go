package cli

import (
	"context"
	"time"
)

// wantWhen says how a time is written on the command line.
const wantWhen = "2026-01-13T02:00:00Z, 02:00 (the next, UTC) or 90m (from now)"

// when reads the time of a planned move. now is the program's own clock.
func when(text string, now time.Time) (time.Time, error) {
	now = now.UTC()
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	if at, err := time.Parse("15:04", text); err == nil {
		next := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
		if !next.After(now) {
			next = next.AddDate(0, 0, 1)
		}
		return next, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d).Truncate(time.Second), nil
	}
	return time.Time{}, usage("--at: got %q, want %s", clean(text), wantWhen)
}

// clock asks the program for its time: a laptop's clock may be wrong, and "in two
// hours" means two hours of the program's.
func (c *client) clock(ctx context.Context) (time.Time, error) {
	var alive struct {
		At time.Time `json:"at"`
	}
	if _, err := c.get(ctx, "/healthz", &alive); err != nil {
		return time.Time{}, err
	}
	if alive.At.IsZero() { // an older program
		return time.Now(), nil
	}
	return alive.At, nil
}

// timed fills the times of an order that are told as spans of time.
func (o orderFlags) timed(ctx context.Context, cl *client, b *body) error {
	if o.span <= 0 && o.at == "" {
		return nil
	}
	now, err := cl.clock(ctx)
	if err != nil {
		return wrongOrRefused(err)
	}
	if o.at != "" {
		if b.NotBefore, err = when(o.at, now); err != nil {
			return err
		}
		now = b.NotBefore
	}
	if o.span > 0 {
		b.Until = now.Add(o.span).UTC().Truncate(time.Second)
	}
	return nil
}
