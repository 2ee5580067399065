package notify

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/record"
)

var began = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)

// TestGolden tells what journal lines become: the messages, and what each channel is
// sent. A line of the journal is
//
//	STREAM CODE [name=value ...] | TEXT
//
// where the names are circuit, operation, actor, reasons, epoch, or those of a field.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, file string) {
		s := &story{cursor: cursor{Marks: map[string]mark{}}, now: began, trails: map[string]*record.Trail{}}
		datadriven.RunTest(t, file, s.run)
	})
}

// story is one channel over time.
type story struct {
	cursor cursor
	now    time.Time
	trails map[string]*record.Trail
	last   []Message
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	target := Target{Topics: []Topic{Operation, Refusal, Approval, Drill, Failure}, Limits: People()}
	voice := Voice{Lift: func(code string) string {
		return map[string]string{"headroom": "reduce the load, or --override headroom"}[code]
	}}
	var what string
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "for":
			target.Topics = nil
			for _, v := range a.Vals {
				target.Topics = append(target.Topics, Topic(v))
			}
		case "machine":
			target.Limits = Machines()
		case "base":
			voice.Base = "https://er.example"
		case "after":
			span, err := time.ParseDuration(a.Vals[0])
			if err != nil {
				t.Fatal(err)
			}
			s.now = s.now.Add(span)
		default:
			what = a.Key
		}
	}
	switch d.Cmd {
	case "journal":
		entries := s.parse(t, d.Input)
		steps, tail := fold(voice, target, s.cursor, entries, s.now)
		s.last = nil
		var out strings.Builder
		for _, step := range steps {
			s.cursor.apply(step.change)
			s.last = append(s.last, step.message)
			out.WriteString(show(step.message))
		}
		s.cursor.apply(tail)
		for _, stream := range slices.Sorted(maps.Keys(s.cursor.Marks)) {
			if h := s.cursor.Marks[stream].Held; h.Count > 0 {
				fmt.Fprintf(&out, "held: %s %d\n", stream, h.Count)
			}
		}
		if out.Len() == 0 {
			return "nothing\n"
		}
		return out.String()
	case "payload":
		return s.payload(t, what)
	}
	t.Fatalf("unknown command %s", d.Cmd)
	return ""
}

// payload shows what one channel is sent for the newest messages.
func (s *story) payload(t *testing.T, channel string) string {
	var out strings.Builder
	for _, m := range s.last {
		var bodies []object
		switch channel {
		case "teams":
			bodies = []object{teamsCard(m)}
		case "slack":
			bodies = []object{slackBlocks(m)}
		case "pagerduty":
			bodies = pagerEvents(m, "ROUTING-KEY")
		case "cloudevent":
			bodies = []object{cloudEvent(m)}
		default:
			t.Fatalf("unknown channel %s", channel)
		}
		for _, b := range bodies {
			text, err := encode(b)
			if err != nil {
				t.Fatal(err)
			}
			v := jsontext.Value(text)
			if err := v.Indent(jsontext.WithIndent(" ")); err != nil {
				t.Fatal(err)
			}
			out.Write(append(bytes.TrimSpace(v), '\n'))
		}
	}
	return out.String()
}

func show(m Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s x%d\n  %s\n  %s\n", m.Severity, m.Topic, m.Key, m.Count, m.Title, m.Text)
	for _, w := range m.Why {
		fmt.Fprintf(&b, "  why: %s %s\n", w.Code, w.Lift)
	}
	if len(m.From)+len(m.To) > 0 {
		fmt.Fprintf(&b, "  %s: %v to %v, epoch %d\n", m.Kind, m.From, m.To, m.Epoch)
	}
	for _, n := range m.Next {
		fmt.Fprintf(&b, "  next: %s\n", n)
	}
	for _, r := range m.Resolves {
		fmt.Fprintf(&b, "  resolves: %s\n", r)
	}
	return b.String()
}

// parse reads journal lines and chains them.
func (s *story) parse(t *testing.T, text string) map[string][]record.Entry {
	out := map[string][]record.Entry{}
	for line := range strings.Lines(text) {
		head, sentence, _ := strings.Cut(strings.TrimSpace(line), " | ")
		words := strings.Fields(head)
		stream := words[0]
		e := record.Entry{At: s.now, Code: words[1], Text: strings.NewReplacer(`\u202e`, "\u202e", `\n`, "\n").Replace(sentence), Fields: map[string]string{}}
		e.Group, _ = strings.CutPrefix(stream, "group.")
		if stream == "estate" {
			e.Group = ""
		}
		for _, w := range words[2:] {
			name, value, _ := strings.Cut(w, "=")
			switch name {
			case "circuit":
				e.Circuit = value
			case "operation":
				e.Operation = value
			case "actor":
				e.Actor = value
			case "group":
				e.Group = value
			case "reasons":
				e.Reasons = strings.Split(value, ",")
			case "epoch":
				fmt.Sscan(value, &e.Epoch)
			default:
				e.Fields[name] = value
			}
		}
		if s.trails[stream] == nil {
			s.trails[stream] = &record.Trail{}
		}
		n := len(s.trails[stream].Pending)
		s.trails[stream].Add(stream, e)
		out[stream] = append(out[stream], s.trails[stream].Pending[n])
	}
	return out
}
