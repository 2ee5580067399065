package report

import (
	"fmt"
	"slices"
	"strings"

	"erfailover/failover/health"
	"erfailover/failover/policy"
)

// sentence is the answer in one or two sentences.
func sentence(in ExplainInput) string {
	v, active := in.Judged.Verdict, strings.Join(in.Group.Active, ", ")
	if active == "" {
		active = "no circuit that is known"
	}
	switch {
	case in.Judged.Refused != "":
		return "It would act, but no safe plan could be made: " + in.Judged.Refused
	case v.Action != policy.Hold:
		s := fmt.Sprintf("It would %s from %s to %s with %d writes now", verbOf(v.Kind), strings.Join(v.From, ", "), strings.Join(v.To, ", "), len(in.Judged.Plan.Steps))
		if v.Kind == policy.KindSettle {
			s = fmt.Sprintf("It would write the weights at rest back now, %d writes; no traffic moves", len(in.Judged.Plan.Steps))
		}
		if in.Policy.Mode == policy.Approve && v.Kind != policy.KindSettle {
			s += ", and wait for a person's approval first"
		}
		return s + ", because " + texts(v.Reasons) + "."
	case v.Kind == "" && v.First() == policy.Blind:
		return "Nothing is decided: no circuit of the group has fresh evidence of any kind. The last known good weights stay, because silence is neither health nor outage."
	case v.Kind == "" && len(v.Reasons) > 1:
		return "Nothing is moved: traffic is on " + active + ", which still carries it, and what is seen is no reason to move by this group's rules. " + capital(texts(lesser(v.Reasons))) + "."
	case v.Kind == "":
		return "Nothing is moved, because nothing is wrong for this group: traffic is on " + active + ". " + capital(texts(v.Reasons)) + "."
	case v.First() == policy.AlreadyThere:
		return "There is nothing to move: " + v.Reasons[0].Text + "."
	}
	return heldSentence(v, active)
}

// heldSentence says that a move was wanted, what held it first, and what time does.
func heldSentence(v policy.Verdict, active string) string {
	first := v.Reasons[0]
	s := fmt.Sprintf("Traffic stays on %s. %s is wanted", active, capital(nounOf(v.Kind)))
	if len(v.From) > 0 && v.Kind != policy.KindSettle {
		s += " away from " + strings.Join(v.From, ", ")
	}
	var held []policy.Reason
	for _, f := range v.Reasons {
		if isGuard(v, f.Code) && !slices.Contains(held, f.Code) {
			held = append(held, f.Code)
		}
	}
	if len(held) == 1 {
		s += ", and one guard held it"
	} else {
		s += fmt.Sprintf(", and %d guards held it. The first is", len(held))
	}
	text := first.Text
	if first.Code == policy.NoCandidate {
		text += " (" + texts(v.Reasons[1:]) + ")"
	}
	if len(held) == 1 {
		s += fmt.Sprintf(", %q: %s.", string(first.Code), text)
	} else {
		s += fmt.Sprintf(" %q: %s.", string(first.Code), text)
	}
	if !first.Until.IsZero() {
		s += " Time lifts this one at " + clock(first.Until) + "."
	}
	if len(held) == 1 && len(v.To) > 0 && v.Kind != policy.KindSettle {
		s += " Everything else passed: without it, traffic would go to " + strings.Join(v.To, ", ") + "."
	}
	return s
}

// lesser returns the findings that are worth saying although all carries traffic.
func lesser(fs []policy.Finding) []policy.Finding {
	return slices.DeleteFunc(slices.Clone(fs), func(f policy.Finding) bool { return f.Code == policy.Well })
}

// whatIf says what a failover order would do now.
func whatIf(in ExplainInput) string {
	if in.WhatIf == nil {
		return ""
	}
	v := in.WhatIf.Verdict
	switch {
	case in.WhatIf.Refused != "":
		return "A failover order now would find no safe plan: " + in.WhatIf.Refused
	case v.Action == policy.Hold && len(v.Reasons) > 0:
		return "A failover order now would be refused: " + texts(v.Reasons) + "."
	case v.Action == policy.Hold:
		return "A failover order now would be refused."
	}
	s := fmt.Sprintf("A failover order now would move to %s with %d writes (plan %s)", strings.Join(v.To, ", "), len(in.WhatIf.Plan.Steps), in.WhatIf.Plan.ID)
	if in.Policy.Mode == policy.Approve {
		s += ", after a person's approval"
	}
	return s + "."
}

// texts joins the sentences of findings.
func texts(fs []policy.Finding) string {
	out := make([]string, 0, len(fs))
	for _, f := range fs {
		out = append(out, f.Text)
	}
	return strings.Join(out, "; ")
}

func verbOf(k policy.Kind) string {
	switch k {
	case policy.KindFailover:
		return "fail over"
	case policy.KindSwitchover:
		return "switch over"
	case policy.KindFailback:
		return "fail back"
	case policy.KindEvacuate:
		return "evacuate"
	case policy.KindDrill:
		return "drill"
	case policy.KindSettle:
		return "settle"
	}
	return "move"
}

func nounOf(k policy.Kind) string {
	switch k {
	case policy.KindFailover, policy.KindSwitchover, policy.KindFailback:
		return "a " + string(k)
	case policy.KindEvacuate:
		return "an evacuation"
	case policy.KindDrill:
		return "a drill"
	case policy.KindSettle:
		return "settling (writing the weights at rest back)"
	}
	return "a move"
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Text writes the explanation for a terminal, about 80 columns wide.
func (e Explanation) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s, mode %s\n\n%s\n", e.Group, e.At.Format("2006-01-02 15:04:05Z"), e.Mode, wrap(e.Answer, ""))
	if len(e.Changes) > 0 {
		b.WriteString("\nWhat would change this\n")
		for _, c := range e.Changes {
			when := ""
			if !c.At.IsZero() {
				when = fmt.Sprintf(" [%s, in %s]", clock(c.At), span(max(c.InMS, 0)))
			}
			b.WriteString(wrap("- "+c.What+when, "  ") + "\n")
		}
	}
	b.WriteString("\nCircuits\n")
	for _, c := range e.Circuits {
		b.WriteString(wrap(fmt.Sprintf("%-10s [%s] %s", strings.ToUpper(string(orUnknown(c.State))), c.Role, c.Says), "  ") + "\n")
		for _, w := range c.Bad {
			b.WriteString(wrap("against: "+w, "      ") + "\n")
		}
		for _, w := range c.Good {
			b.WriteString(wrap("for: "+w, "      ") + "\n")
		}
	}
	e.guardText(&b)
	if len(e.Candidates) > 0 {
		b.WriteString("\nWhere the traffic could go, best first\n")
		for _, c := range e.Candidates {
			line := c.Circuit + ": nothing stands against it"
			if len(c.Against) > 0 {
				line = c.Circuit + ": " + texts(c.Against)
			}
			if c.Chosen {
				line += " (chosen)"
			}
			b.WriteString(wrap("- "+line, "  ") + "\n")
		}
	}
	if e.IfFailed != "" {
		b.WriteString("\nIf you ordered a failover\n" + wrap(e.IfFailed, "  ") + "\n")
	}
	if len(e.History) > 0 {
		b.WriteString("\nDecided and refused lately, newest first\n")
		for _, h := range e.History {
			who := ""
			if h.Actor != "" {
				who = " [" + h.Actor + "]"
			}
			b.WriteString(wrap(h.At.UTC().Format("15:04:05Z")+"  "+h.Text+who, "  ") + "\n")
		}
	}
	return b.String()
}

// guardText writes what held in full, and what passed by name.
func (e Explanation) guardText(b *strings.Builder) {
	if len(e.Guards) == 0 {
		return
	}
	b.WriteString("\nGuards, in the order in which they are asked\n")
	names := map[Answer][]string{}
	for _, g := range e.Guards {
		names[g.Answer] = append(names[g.Answer], string(g.Code))
		if g.Answer != Held {
			continue
		}
		b.WriteString(wrap(fmt.Sprintf("HELD    %s: %s", g.Code, g.Asks), "  ") + "\n")
		b.WriteString(wrap(g.Text, "          ") + "\n")
	}
	for _, part := range []struct {
		answer Answer
		says   string
	}{{Waived, "waived by name"}, {Passed, "passed"}, {NoData, "no data (not measured, so they hold nothing)"}} {
		if n := names[part.answer]; len(n) > 0 {
			b.WriteString(wrap(part.says+": "+strings.Join(n, ", "), "  ") + "\n")
		}
	}
}

func orUnknown(s health.State) health.State {
	if s == "" {
		return health.Unknown
	}
	return s
}

// wrap breaks text at 88 columns and indents what follows the first line.
func wrap(text, indent string) string {
	const width = 88
	var b strings.Builder
	col := 0
	for i, w := range strings.Split(text, " ") {
		switch {
		case i == 0:
			b.WriteString(indent)
			col = len(indent)
		case col+1+len(w) > width:
			more := indent
			if indent != "" {
				more += "  "
			}
			b.WriteString("\n" + more)
			col = len(more)
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(w)
		col += len(w)
	}
	return b.String()
}
