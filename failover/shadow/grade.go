package shadow

import (
	"fmt"
	"strings"
	"time"
)

// judge grades a case.
//
//	due   when the verdict was held by nothing but the mode, else when it first named the move
//	done  due + Takes for a move that nobody made; when the weights were read back for one that was made
//	back  when the circuits carried again; left is back, or done of a person's move if that was earlier
//
// Trouble that was over by itself in less than Worth was not worth a move: harmful.
// Otherwise a move gains left - done, and is too late when that is less than Least. A
// person's move at about the same time says that the verdict was right.
func (c *Case) judge(in Input) {
	r := in.Rule
	due := c.DueAt
	if due.IsZero() {
		due = c.NamedAt
	}
	switch {
	case !c.MovedAt.IsZero() && c.MovedBy == "":
		c.judgeMade(in)
	case c.BackAt.IsZero() && c.DoneAt.IsZero():
		c.judgeOpen(in, due.Add(r.Takes))
	default:
		left := c.BackAt
		if left.IsZero() || (!c.DoneAt.IsZero() && c.DoneAt.Before(left)) {
			left = c.DoneAt
		}
		c.judgeHeld(r, due, left)
	}
	if c.GainMS < 0 {
		c.GainMS = 0
	}
	c.Says = strings.TrimSpace(c.Says)
}

// judgeMade grades a move of the automation.
func (c *Case) judgeMade(in Input) {
	switch {
	case c.DoneAt.IsZero():
		c.Grade, c.Says = Open, "decided, not applied"
	case c.BackAt.IsZero():
		c.Grade, c.GainMS = Right, in.Now.Sub(c.DoneAt).Milliseconds()
		c.Says = fmt.Sprintf("right: moved in %s; %s is still not back", Span(c.DoneAt.Sub(c.BadAt)), list(c.From))
	case c.BackAt.Sub(c.BadAt) < in.Rule.Worth:
		c.Grade = Harmful
		c.Says = fmt.Sprintf("harmful: %s recovered alone in %s", list(c.From), Span(max(c.BackAt.Sub(c.MovedAt), 0)))
	case c.BackAt.Sub(c.DoneAt) >= in.Rule.Least:
		c.Grade, c.GainMS = Right, c.BackAt.Sub(c.DoneAt).Milliseconds()
		c.Says = fmt.Sprintf("right: moved in %s, which spared %s on a bad circuit", Span(c.DoneAt.Sub(c.BadAt)), Span(c.BackAt.Sub(c.DoneAt)))
	default:
		c.Grade = TooLate
		c.Says = fmt.Sprintf("too late: bad for %s, and back when the move was done", Span(c.BackAt.Sub(c.BadAt)))
	}
}

// judgeOpen grades a move that was not made while the trouble goes on.
func (c *Case) judgeOpen(in Input, done time.Time) {
	gain := in.Now.Sub(done)
	switch {
	case c.Silent:
		c.Grade, c.Says = Open, "its sources fell silent: nobody knows when it was over"
	case gain < in.Rule.Least:
		c.Grade, c.Says = Open, "not over yet"
	default:
		c.Grade, c.GainMS = Saved, gain.Milliseconds()
		c.Says = fmt.Sprintf("would have saved %s so far; %s is still bad", Span(gain), list(c.From))
	}
}

// judgeHeld grades a move that the automation did not make, once the trouble was
// over or a person had moved the traffic.
func (c *Case) judgeHeld(r Rule, due, left time.Time) {
	done := due.Add(r.Takes)
	gain := left.Sub(done)
	person := !c.DoneAt.IsZero() && left.Equal(c.DoneAt)
	switch {
	case !person && left.Sub(c.BadAt) < r.Worth:
		c.Grade = Harmful
		c.Says = fmt.Sprintf("would have been harmful: recovered alone in %s", Span(left.Sub(due)))
	case gain >= r.Least:
		c.Grade, c.GainMS = Saved, gain.Milliseconds()
		c.Says = fmt.Sprintf("would have saved %s", Span(gain))
		if person {
			c.Says += "; " + c.MovedBy + " moved it in the end"
		}
	case person:
		c.Grade, c.Says = Right, "right: "+c.MovedBy+" moved it at about the same time"
	case gain > 0:
		c.Grade = TooLate
		c.Says = fmt.Sprintf("too late: bad for %s, and a move would have been done only %s before its end", Span(left.Sub(c.BadAt)), Span(gain))
	default:
		c.Grade = TooLate
		c.Says = fmt.Sprintf("too late: bad for %s, and back before a move would have been done", Span(left.Sub(c.BadAt)))
	}
	if c.DueAt.IsZero() {
		c.Says += "; held by " + strings.Join(c.lastCodes(), ", ")
	}
}

// lastCodes returns the guards that said no at the end.
func (c *Case) lastCodes() []string {
	if len(c.Held) == 0 {
		return nil
	}
	return c.Held[len(c.Held)-1].Codes
}

func list(names []string) string { return strings.Join(names, ", ") }

// Span renders a duration for people: "40 s", "4 min 10 s", "2 h 5 min".
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", s)
	case d < 10*time.Minute && s > 0:
		return fmt.Sprintf("%d min %d s", m, s)
	case d < time.Hour:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("%d h %d min", h, m)
}
