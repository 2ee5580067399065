package contest

import (
	"fmt"
	"strings"
	"time"
)

// figure is one column of the table and one panel of the chart.
type figure struct {
	title string
	unit  string
	of    func(Score, int) (float64, bool) // false: nothing was measured
}

// perYear makes a figure of a count.
func perYear(n func(Score) int) func(Score, int) (float64, bool) {
	return func(s Score, years int) (float64, bool) { return float64(n(s)) / float64(years), true }
}

// minutes makes a figure of a duration, in minutes a year.
func minutes(d func(Score) time.Duration) func(Score, int) (float64, bool) {
	return func(s Score, years int) (float64, bool) { return d(s).Minutes() / float64(years), true }
}

// median makes a figure of a quantile, in minutes.
func median(list func(Score) []time.Duration, q float64) func(Score, int) (float64, bool) {
	return func(s Score, _ int) (float64, bool) {
		d, ok := quantile(list(s), q)
		return d.Minutes(), ok
	}
}

// figures returns the columns, in order.
func figures() []figure {
	toMove, toReturn := func(s Score) []time.Duration { return s.ToMove }, func(s Score) []time.Duration { return s.ToReturn }
	return []figure{
		{"failovers", "a year", perYear(func(s Score) int { return s.Moves })},
		{"wrong or needless", "a year", perYear(Score.False)},
		{"too late", "a year", perYear(func(s Score) int { return s.Late })},
		{"home too early", "a year", perYear(func(s Score) int { return s.Early })},
		{"outages missed", "a year", perYear(func(s Score) int { return s.Missed })},
		{"on a dead path", "min/year", minutes(func(s Score) time.Duration { return s.Dead })},
		{"dead, other way", "min/year", minutes(func(s Score) time.Duration { return s.OtherDead })},
		{"asymmetric", "min/year", minutes(func(s Score) time.Duration { return s.Asymmetric })},
		{"off a good home", "min/year", minutes(func(s Score) time.Duration { return s.Away })},
		{"writes", "a year", perYear(func(s Score) int { return s.Writes })},
		{"to move", "min, median", median(toMove, 0.5)},
		{"to move", "min, 95 %", median(toMove, 0.95)},
		{"to return", "min, median", median(toReturn, 0.5)},
	}
}

// Legend says what the columns count, a line each.
func Legend() []string {
	return []string{
		"wrong: a write moved traffic from a circuit that worked to one that did not. needless: a circuit was left with which nothing had been wrong for 5 minutes",
		"too late: a circuit was left with which nothing was wrong any more. home too early: home did not work, or failed again within 10 minutes",
		"missed: a dead path of 10 minutes and more was sat out although another circuit worked",
		"on a dead path: Azure to on-premises, lost 5 % and more, while another circuit worked; other way: the same, on-premises to Azure, which follows 10 minutes after a move",
		"to move: from a dead path whose routes stayed to having left it; withdrawn routes are moved by routing, for every policy alike",
	}
}

// Markdown renders the table: a row for each policy.
func (r Result) Markdown() string {
	var b strings.Builder
	b.WriteString("| policy |")
	for _, f := range figures() {
		fmt.Fprintf(&b, " %s, %s |", f.title, f.unit)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(figures())) + "\n")
	for _, s := range r.Scores {
		fmt.Fprintf(&b, "| %s |", s.Name)
		for _, f := range figures() {
			fmt.Fprintf(&b, " %s |", r.cell(f, s))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Text renders the table for a terminal: a row for each figure, a column for each
// policy.
func (r Result) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-30s", "")
	for i := range r.Scores {
		fmt.Fprintf(&b, "%9s", "("+string(rune('a'+i))+")")
	}
	b.WriteString("\n")
	for _, f := range figures() {
		fmt.Fprintf(&b, "%-30s", f.title+", "+f.unit)
		for _, s := range r.Scores {
			fmt.Fprintf(&b, "%9s", r.cell(f, s))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for i, s := range r.Scores {
		fmt.Fprintf(&b, "  (%c) %s\n", 'a'+i, s.Name)
	}
	return b.String()
}

// Misled says by what each policy was misled when it left a circuit without need, a
// line for each policy that was.
func (r Result) Misled() []string {
	var out []string
	for _, s := range r.Scores {
		var by []string
		for _, rate := range Default().Rates {
			if n := s.Misled[rate.Kind]; n > 0 {
				by = append(by, fmt.Sprintf("%s %d", rate.Kind, n))
			}
		}
		if len(by) > 0 {
			out = append(out, fmt.Sprintf("%s left without need %d times, at: %s", s.Name, s.Needless, strings.Join(by, ", ")))
		}
	}
	return out
}

// cell renders one figure.
func (r Result) cell(f figure, s Score) string {
	v, ok := f.of(s, r.Years)
	return digits(v, ok)
}

// digits renders a figure with two or three digits.
func digits(v float64, ok bool) string {
	switch {
	case !ok:
		return "-"
	case v == 0:
		return "0"
	case v < 1:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
