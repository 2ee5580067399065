package notify

import (
	"strings"
	"testing"

	"erfailover/failover/record"
)

// TestCancelLinkGoesToPeople: the link that calls a drill off is in what people read,
// and not in an event hub; another entry has none.
func TestCancelLinkGoesToPeople(t *testing.T) {
	v := Voice{Base: "https://er.example", Cancel: func(e record.Entry) string {
		if e.Code == "drill.announce" {
			return "/api/v1/drills/monthly/announcement?proof=p1"
		}
		return ""
	}}
	const want = "https://er.example/api/v1/drills/monthly/announcement?proof=p1"
	say := func(code string) Message {
		e := record.Entry{Stream: "drill.monthly", Seq: 4, Code: code, Group: "east", At: began, Text: "east is drilled"}
		n, after, ok := meaning(e, memory{})
		if !ok {
			t.Fatalf("%s is told to nobody", code)
		}
		if !n.urgent && code == "drill.announce" {
			t.Error("an announcement may be held back until its time has run out")
		}
		return v.message(e, n, Drill, after)
	}
	m := say("drill.announce")
	for name, body := range map[string]any{"teams": teamsCard(m), "slack": slackBlocks(m), "webhook": cloudEvent(m)} {
		if text, err := encode(body); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s (%v), want %s", name, text, err, want)
		}
	}
	if text, err := encode(cloudEvent(forPrograms(m))); err != nil || strings.Contains(string(text), "proof") {
		t.Errorf("event hub: %s (%v), want no link", text, err)
	}
	if text, err := encode(pagerEvents(m, "key")); err != nil || strings.Contains(string(text), "proof") {
		t.Errorf("pagerduty: %s (%v), want no link", text, err)
	}
	if m := say("drill.end"); m.Cancel != "" {
		t.Errorf("the end of a drill can be called off: %s", m.Cancel)
	}
	v.Base = ""
	if m := say("drill.announce"); m.Cancel != "" {
		t.Errorf("a link without a host: %s", m.Cancel)
	}
}
