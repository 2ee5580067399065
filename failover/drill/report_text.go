package drill

import (
	"fmt"
	"strings"

	"erfailover/failover/record"
)

// cell keeps text from an event or a person inside one table cell: no line breaks, no
// column marks, no markup.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "[", `\[`, "]", `\]`, "`", "'").Replace(record.Clean(s, 4096))
}

// asBefore answers whether a connection is as it was.
func asBefore(w weightRow) string {
	switch {
	case w.Same:
		return "yes"
	case w.Taken:
		return "the incident's"
	}
	return "NO"
}

// Markdown returns the report as text that can be sent or filed.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: %s\n\n%s\n", cell(r.Title()), r.Word(), cell(r.Sentence()))
	if says := r.Outcome.Weights.Says(); says != "" {
		fmt.Fprintf(&b, "\n%s\n", says)
	}
	if r.Outcome.RecoveryMS > 0 {
		fmt.Fprintf(&b, "\nRecovery: %s", span(r.Outcome.RecoveryMS))
		if r.ObjectiveMS > 0 {
			fmt.Fprintf(&b, ", objective %s", span(r.ObjectiveMS))
		}
		b.WriteString("\n")
	}
	if r.Run.Accelerated {
		b.WriteString("\nAccelerated: without notice and with a short hold.\n")
	}
	table := func(title string, head ...string) func(cells ...string) {
		fmt.Fprintf(&b, "\n## %s\n\n| %s |\n|%s\n", title, strings.Join(head, " | "), strings.Repeat("---|", len(head)))
		return func(cells ...string) {
			for i := range cells {
				cells[i] = cell(cells[i])
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	row := table("What was measured", "what", "group", "found", "evidence")
	for _, p := range r.Run.Evidence {
		row(p.What, p.Group, string(p.Found), p.Text)
	}
	if ws := r.weights(); len(ws) > 0 {
		row = table("Weights", "connection", "circuit", "before", "during", "after", "as before?")
		for _, w := range ws {
			row(w.Connection, w.Circuit, w.Before, w.During, w.After, asBefore(w))
		}
	}
	row = table("The way back, armed first", "stored", "by", "deadline", "hash", "read back", "by")
	if r.Run.UndoHash != "" {
		row(stamp(r.Run.ArmedAt), r.Run.ArmedBy, stamp(r.Run.Deadline), r.Run.UndoHash, stamp(r.Run.SeenAt), r.Run.SeenBy)
	}
	for _, p := range r.Run.Plans {
		if len(p.Steps) == 0 {
			continue
		}
		row = table("Plan for "+cell(p.Group), "connection", "circuit", "from", "to")
		for _, s := range p.Steps {
			from, to := fmt.Sprint(s.From), fmt.Sprint(s.To)
			if s.Does != "" {
				from, to = s.Does, ""
			}
			row(name(s.Connection), s.Circuit, from, to)
		}
	}
	row = table("Checks before the start", "check", "answer", "why")
	for _, c := range r.Run.Checks {
		row(c.Name, map[bool]string{true: "passed", false: "HELD"}[c.OK], c.Text)
	}
	for _, o := range r.Operations {
		row = table(cell(string(o.Kind)+" of "+o.Group+": "+string(o.Result)+" ("+o.ID+")"), "stage", "at", "took", "since the signal")
		for _, s := range o.Ledger.Stages {
			row(s.Name, stamp(s.At), span(s.TookMS), span(s.SinceMS))
		}
	}
	row = table("Journal", "entry", "at", "code", "by", "what", "hash")
	for _, e := range r.Entries {
		row(fmt.Sprint(e.Seq), stamp(e.At), e.Code, e.Actor, e.Text, e.Hash)
	}
	fmt.Fprintf(&b, "\nChain followed to entry %d, hash `%s`. Made %s.\n", r.Head.Seq, cell(r.Head.Hash), stamp(r.Made))
	return b.String()
}
