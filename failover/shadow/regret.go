package shadow

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Regret says what one guard, or one cause of moves, has cost and spared.
//
// A guard is charged the time that it held a move which would have helped, and
// credited with every move that it held and that would have been harmful. When
// several said no, each takes an equal share. A needless move is reckoned at twice
// what a move takes: there and back. A cause (circuit-down, circuit-degraded) is
// charged the harmful moves that were made for it, and credited with what the others
// spared.
type Regret struct {
	Code     string  `json:"code"`
	Guard    bool    `json:"guard"` // it said no; otherwise it is a cause of moves
	Cases    int     `json:"cases"`
	Harmful  int     `json:"harmful"`   // guard: stopped; cause: made
	CostMS   float64 `json:"cost_ms"`   // minutes on a bad circuit, or needless moves
	WorthMS  float64 `json:"worth_ms"`  // needless moves stopped, or time spared
	RegretMS float64 `json:"regret_ms"` // cost less worth: above zero it has cost more than it brought
}

// Regrets adds cases up by guard and by cause, the most regretted first. Cases that
// are not over count as far as they are known.
func Regrets(cases []Case, r Rule, now time.Time) []Regret {
	found := map[string]*Regret{}
	var all []*Regret
	line := func(code string, guard bool) *Regret {
		key := code + map[bool]string{true: " guard"}[guard]
		if found[key] == nil {
			found[key] = &Regret{Code: code, Guard: guard}
			all = append(all, found[key])
		}
		return found[key]
	}
	harm := float64(2 * r.Takes.Milliseconds())
	for _, c := range cases {
		if !c.MovedAt.IsZero() && c.MovedBy == "" {
			for _, code := range c.Why {
				l, n := line(code, false), float64(len(c.Why))
				l.Cases++
				if c.Grade == Harmful {
					l.Harmful++
					l.CostMS += harm / n
					continue
				}
				l.WorthMS += float64(c.GainMS) / n
			}
		}
		charge(c, harm, now, func(code string) *Regret { return line(code, true) })
	}
	out := make([]Regret, 0, len(all))
	for _, l := range all {
		l.RegretMS = l.CostMS - l.WorthMS
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b Regret) int {
		return cmp.Or(cmp.Compare(b.RegretMS, a.RegretMS), strings.Compare(a.Code, b.Code))
	})
	return out
}

// charge charges and credits the guards of one case.
func charge(c Case, harm float64, now time.Time, line func(code string) *Regret) {
	end := now
	if !c.BackAt.IsZero() {
		end = c.BackAt
	}
	counted := map[string]bool{}
	for i, h := range c.Held {
		to := h.To
		if to.IsZero() || to.After(end) {
			to = end
		}
		for _, code := range h.Codes {
			l, n := line(code), float64(len(h.Codes))
			if !counted[code] {
				counted[code] = true
				l.Cases++
			}
			switch {
			case c.Grade == Harmful && i == len(c.Held)-1 && c.MovedAt.IsZero():
				l.Harmful++
				l.WorthMS += harm / n
			case c.Grade != Harmful && c.Grade != Open && to.After(h.From):
				l.CostMS += float64(to.Sub(h.From).Milliseconds()) / n
			}
		}
	}
}
