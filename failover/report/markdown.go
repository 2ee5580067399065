package report

import (
	"fmt"
	"strings"
	"time"

	"erfailover/failover/executor"
)

// Markdown renders an operation as a report that can be sent or filed: what was
// done, why, each write, and where the time went.
func (o Operation) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s of %s: %s\n\n", title(string(o.Kind)), cell(o.Group), cell(outcome(o)))
	fmt.Fprintf(&b, "| | |\n|---|---|\n")
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", name, cell(value))
		}
	}
	row("operation", o.ID)
	row("plan", o.Plan)
	row("epoch", fmt.Sprint(o.Epoch))
	row("from", strings.Join(o.From, ", "))
	row("to", strings.Join(o.To, ", "))
	row("ordered by", o.By)
	row("approved by", strings.Join(o.Approved, ", "))
	row("begun", stamp(o.Begun))
	row("ended", stamp(o.Ended))
	row("the other direction (on-premises to Azure)", string(o.Symmetry))
	b.WriteString("\n## Why\n\n")
	for _, f := range o.Why {
		fmt.Fprintf(&b, "- `%s` %s\n", f.Code, cell(f.Text))
	}
	b.WriteString("\n## Writes\n\n| connection | circuit | from | to | how it ended | attempts | done | correlation |\n|---|---|---|---|---|---|---|---|\n")
	for _, s := range o.Steps {
		how := string(s.Phase)
		if s.Phase == executor.Failed {
			how += ": " + s.Error
		}
		from, to := s.ends()
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d | %s | %s |\n", cell(s.Connection[strings.LastIndexByte(s.Connection, '/')+1:]), cell(s.Circuit), from, to, cell(how), s.Attempts, stamp(s.DoneAt), cell(s.Correlation))
	}
	b.WriteString("\n## Recovery ledger\n\n| stage | at | took | since the signal | what it ends with |\n|---|---|---|---|---|\n")
	for _, s := range o.Ledger.Stages {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", s.Name, stamp(s.At), span(s.TookMS), span(s.SinceMS), s.Means)
	}
	fmt.Fprintf(&b, "\nRecovery: %s", span(o.Ledger.RecoveryMS))
	if o.Ledger.Met != nil {
		fmt.Fprintf(&b, ", objective %s: %s", span(o.Ledger.ObjectiveMS), map[bool]string{true: "met", false: "missed"}[*o.Ledger.Met])
	}
	b.WriteString("\n")
	for i, n := range o.Notes {
		if i == 0 {
			b.WriteString("\n## Notes\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", cell(n))
	}
	return b.String()
}

// outcome says how an operation stands.
func outcome(o Operation) string {
	if o.Result != "" {
		return string(o.Result)
	}
	return string(o.Status)
}

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// cell keeps text from an event or a person inside one table cell: no line breaks,
// no column marks, no markup.
func cell(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "|", `\|`, "<", "&lt;", ">", "&gt;", "[", `\[`, "]", `\]`, "`", "'").Replace(s)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
