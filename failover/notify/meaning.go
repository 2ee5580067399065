package notify

import (
	"fmt"
	"slices"
	"strings"

	"erfailover/failover/record"
)

// codeUnreadable stands for a journal row that is not what was written.
const codeUnreadable = "journal.unreadable"

// notice is what one journal entry means to people.
type notice struct {
	topics   []Topic
	severity Severity
	urgent   bool   // never held back
	title    string // without the group's name
	trouble  string // what the trouble is called inside its group: an operation's ID, "hold", "drift"
	next     []string
}

// moving remembers the operation of a group that was decided last, since later
// entries do not say again what it does.
type moving struct {
	ID   string   `json:"id,omitzero"`
	Kind string   `json:"kind,omitzero"`
	From []string `json:"from,omitempty"`
	To   []string `json:"to,omitempty"`
}

// memory is what the meaning of later entries of a stream depends on.
type memory struct {
	Hold      bool   `json:"hold,omitzero"` // a hold in the face of trouble was the newest verdict
	Operation moving `json:"operation,omitzero"`
}

// meaning says what an entry means, and what to remember of it. ok is false for an
// entry that nobody needs to be told of.
func meaning(e record.Entry, m memory) (n notice, after memory, ok bool) {
	if strings.HasPrefix(e.Code, "drill.") {
		n, ok = drillMeaning(e)
		return n, m, ok
	}
	switch e.Code {
	case "operation.decided", "operation.waiting":
		m.Operation = parseMove(e)
	case "verdict.changed":
		return verdictMeaning(e, m)
	}
	n, ok = operationMeaning(e, m)
	if !ok {
		n, ok = otherMeaning(e)
	}
	return n, m, ok
}

// parseMove reads what an operation does: from the entry's fields, or from the
// engine's own words, "failover from ashburn to chicago, denver", where it has none.
func parseMove(e record.Entry) moving {
	split := func(s, by string) []string {
		return slices.DeleteFunc(strings.Split(s, by), func(s string) bool { return strings.TrimSpace(s) == "" })
	}
	text, _, _ := strings.Cut(e.Text, " waits for approval")
	text, _, _ = strings.Cut(text, " by lever ")
	if kind, circuit, oneLink := strings.Cut(text, " on one link of "); oneLink {
		return moving{ID: e.Operation, Kind: kind, From: []string{circuit}, To: []string{circuit}}
	}
	if kind := e.Fields["kind"]; kind != "" {
		return moving{ID: e.Operation, Kind: kind, From: split(e.Fields["from"], ","), To: split(e.Fields["to"], ",")}
	}
	kind, rest, _ := strings.Cut(text, " from ")
	from, to, _ := strings.Cut(rest, " to ")
	return moving{ID: e.Operation, Kind: kind, From: split(from, ", "), To: split(to, ", ")}
}

// operationMeaning is about what an operation does.
func operationMeaning(e record.Entry, m memory) (notice, bool) {
	kind := "operation"
	if m.Operation.ID == e.Operation && m.Operation.Kind != "" {
		kind = m.Operation.Kind
	}
	quiet := kind == "settle" // it moves no traffic
	follow := []string{"erfailover operation " + e.Operation, "erfailover status " + e.Group}
	n := notice{topics: []Topic{Operation}, severity: Info, trouble: e.Operation, next: follow}
	if kind == "drill" {
		n.topics = append(n.topics, Drill)
	}
	switch e.Code {
	case "operation.decided":
		n.title, n.urgent = kind+" begun", !quiet
		if kind == "failover" || kind == "evacuate" {
			n.severity = Warning
		}
	case "operation.waiting":
		n = notice{topics: []Topic{Approval}, severity: Warning, urgent: true, title: kind + " waits for approval", trouble: e.Operation,
			next: []string{"erfailover approve " + e.Group + " " + e.Operation, "erfailover plan " + e.Group, "erfailover cancel " + e.Group + " " + e.Operation}}
	case "operation.applied":
		n.title = kind + ": every weight is written"
	case "operation.converged":
		n.title = kind + ": every gateway shows routes"
	case "operation.superseded":
		n.title, n.severity = kind+" superseded by a newer decision", Resolved
	case "operation.ended":
		n.title, n.severity, n.urgent = kind+" ended: "+e.Fields["result"], Resolved, !quiet
		switch {
		case e.Fields["result"] == "failed":
			n.severity, n.urgent, n.topics = Critical, true, append(n.topics, Failure)
			n.next = append(n.next, "erfailover break-glass")
		case e.Fields["result"] == "":
			n.title = kind + " cancelled"
			n.topics = append(n.topics, Approval)
		}
	case "step.ended":
		if !strings.Contains(e.Text, " was not written: ") {
			return notice{}, false
		}
		n.topics, n.severity, n.urgent, n.title = []Topic{Failure}, Critical, true, "a weight could not be written"
		if e.Fields["lever"] != "" {
			n.title = "a lever could not be pulled"
		}
	default:
		return notice{}, false
	}
	return n, true
}

// verdictMeaning tells of a hold in the face of trouble, and of its end.
func verdictMeaning(e record.Entry, m memory) (notice, memory, bool) {
	blind := slices.Contains(e.Reasons, "blind")
	hold := e.Fields["action"] == "hold" && (e.Fields["from"] != "" || blind)
	told := func(r string) bool { return r == "operation-running" || r == "approval-awaited" } // by the operation's own entries
	if hold && len(e.Reasons) > 0 && !slices.ContainsFunc(e.Reasons, func(r string) bool { return !told(r) }) {
		return notice{}, m, false
	}
	n := notice{topics: []Topic{Refusal}, severity: Warning, title: "not moving, with trouble on " + e.Fields["from"], trouble: "hold",
		next: []string{"erfailover explain " + e.Group, "erfailover plan " + e.Group + " failover"}}
	switch {
	case hold && blind:
		n.topics, n.title = append(n.topics, Failure), "blind: no circuit has fresh evidence"
	case hold:
	case m.Hold:
		n.severity, n.title, n.next = Resolved, "no longer held", []string{"erfailover status " + e.Group}
	default:
		return notice{}, m, false
	}
	m.Hold = hold
	return n, m, true
}

// drillMeaning is about rehearsals: the calendar's entries and the engine's.
func drillMeaning(e record.Entry) (notice, bool) {
	what := strings.TrimPrefix(e.Code, "drill.")
	title, known := map[string]string{
		"announce": "a drill is announced", "arm": "a drill begins", "order": "a drill is ordered", "plan": "the next drill", "move": "a drill moves traffic",
		"hold": "a drill holds traffic on the standby", "return": "a drill brings traffic home", "end": "a drill ended", "begun": "a drill moves traffic",
		"overtaken": "a drill is overtaken by real trouble", "ended": "a drill is over",
		"cancel": "a drill is called off", "stop": "a drill is stopped", "block": "drills are blocked", "clear": "drills are no longer blocked",
	}[what]
	if !known {
		title = "drill: " + what
	}
	n := notice{topics: []Topic{Drill}, severity: Info, title: title, trouble: "drill", next: []string{"erfailover status " + e.Group, "erfailover history " + e.Group}}
	switch {
	case what == "announce": // never held back: its time to be called off runs out
		n.urgent = true
		if name, ok := strings.CutPrefix(e.Stream, "drill."); ok {
			n.next = []string{"erfailover drill cancel " + name, "erfailover drill show " + name}
		}
	case what == "overtaken", what == "end" && !strings.HasPrefix(e.Text, "drill passed"):
		n.severity = Warning
	case what == "end", what == "ended":
		n.severity = Resolved
	}
	return n, true
}

// leverMeaning is about what was cut, and whether it comes back.
func leverMeaning(e record.Entry, n notice) (notice, bool) {
	resource := e.Fields["resource"]
	n.trouble = "lever-" + record.Clean(resource[strings.LastIndexByte(resource, '/')+1:], maxWord)
	n.next = append(n.next, "erfailover failback "+e.Group)
	switch strings.TrimPrefix(e.Code, "lever.") {
	case "armed":
		n.title, n.severity = "a path is cut on purpose", Warning
	case "due":
		n.title = "what was cut is put back"
	case "back":
		n.title, n.severity = "what was cut is back", Resolved
	case "adopted":
		n.topics, n.title, n.severity, n.urgent = []Topic{Operation, Failure}, "a path is cut that the record had lost", Critical, true
		n.next = append(n.next, "erfailover break-glass")
	case "stuck":
		n.topics, n.title, n.severity, n.urgent = []Topic{Operation, Failure}, "what was cut does not go back", Critical, true
		n.next = append(n.next, "erfailover break-glass")
	default:
		return notice{}, false
	}
	return n, true
}

// otherMeaning is about orders, pauses, drift and what stops us from working.
func otherMeaning(e record.Entry) (notice, bool) {
	n := notice{topics: []Topic{Operation}, severity: Info, next: []string{"erfailover status " + e.Group}}
	refused := func(title, trouble string) {
		n.topics, n.severity, n.title, n.trouble = []Topic{Refusal}, Warning, title, trouble
		n.next = []string{"erfailover explain " + e.Group}
	}
	if strings.HasPrefix(e.Code, "lever.") {
		return leverMeaning(e, n)
	}
	switch e.Code {
	case "order.accepted":
		switch e.Fields["verb"] {
		case "pause", "resume", "acknowledge", "kill", "unkill": // they have entries of their own
			return notice{}, false
		}
		n.title, n.trouble = "ordered by a person", "order"
	case "order.cancelled":
		n.title, n.trouble = "a scheduled move was cancelled", "order"
	case "order.answered":
		if !strings.Contains(e.Text, ": refused") {
			return notice{}, false
		}
		refused("an order was refused", "order")
	case "claim.changed":
		if !strings.HasPrefix(e.Text, "no plan: ") {
			return notice{}, false
		}
		refused("no safe plan could be made", "plan")
		n.topics = append(n.topics, Failure)
	case "weight.drifted":
		refused("others changed a weight", "drift")
	case "write.late":
		n.title, n.trouble = "an old write landed late", "late"
	case "record.rebased", "journal.rejoined":
		n.topics, n.severity, n.title, n.trouble = []Topic{Operation, Failure}, Warning, "a copy of the record came back; it goes on from what Azure shows", "record"
		n.next = append(n.next, "erfailover journal verify")
	case "group.paused":
		n.title, n.trouble = "paused", "pause"
		n.next = append(n.next, "erfailover resume "+e.Group)
	case "group.resumed":
		n.title, n.trouble, n.severity = "resumed", "pause", Resolved
	case "group.acknowledged":
		n.title, n.trouble = "acknowledged", "acknowledged"
	case "estate.killed", "estate.unkilled":
		if e.Group != "" { // told once, for the estate
			return notice{}, false
		}
		n = notice{topics: []Topic{Operation, Refusal, Failure}, severity: Warning, urgent: true, title: "the kill switch is set: nothing is written", trouble: "kill", next: []string{"erfailover start", "erfailover status"}}
		if e.Code == "estate.unkilled" {
			n.severity, n.title, n.next = Resolved, "the kill switch is lifted", n.next[1:]
		}
	case codeUnreadable:
		n = notice{topics: []Topic{Failure}, severity: Critical, urgent: true, title: "the journal cannot be read", trouble: "journal", next: []string{"erfailover journal verify"}}
	default:
		return notice{}, false
	}
	return n, true
}

// wanted returns the first of a notice's topics that a channel asks for. Failure
// goes first: it is the loudest.
func (n notice) wanted(topics []Topic) (Topic, bool) {
	for _, t := range slices.Backward(n.topics) {
		if slices.Contains(topics, t) {
			return t, true
		}
	}
	return "", false
}

// message puts an entry and its meaning into words.
func (v Voice) message(e record.Entry, n notice, t Topic, m memory) Message {
	name := e.Group
	if name == "" {
		name = "estate"
	}
	msg := Message{
		ID: id(e), Code: e.Code, Topic: t, Severity: n.severity, Key: "erfailover/" + name + "/" + n.trouble,
		Group: words(e.Group), Circuit: words(e.Circuit), Operation: words(e.Operation), Epoch: e.Epoch,
		Result: words(e.Fields["result"]), Symmetry: words(e.Fields["symmetry"]), Actor: words(e.Actor),
		Title: record.Clean(name+": "+n.title, maxTitle), Text: words(e.Text), At: e.At, Count: 1, Link: v.link(e.Group),
	}
	if m.Operation.ID == e.Operation && e.Operation != "" {
		msg.Kind, msg.From, msg.To = words(m.Operation.Kind), m.Operation.From, m.Operation.To
	}
	if e.Code == "verdict.changed" {
		msg.From = slices.DeleteFunc(strings.Split(e.Fields["from"], ","), func(s string) bool { return s == "" })
	}
	for i, r := range e.Reasons {
		if i == maxWhy {
			msg.Why = append(msg.Why, Reason{Code: fmt.Sprintf("(%d more)", len(e.Reasons)-i)})
			break
		}
		why := Reason{Code: record.Clean(r, maxWord)}
		if v.Lift != nil {
			why.Lift = record.Clean(strings.ReplaceAll(v.Lift(r), "GROUP", name), 2*maxWord)
		}
		msg.Why = append(msg.Why, why)
	}
	for _, c := range n.next {
		msg.Next = append(msg.Next, words(strings.TrimSpace(c)))
	}
	if e.Code == "operation.waiting" && v.Base != "" {
		msg.Next = append(msg.Next, v.curl(e))
	}
	if v.Cancel != nil && v.Base != "" {
		if at := v.Cancel(e); at != "" {
			msg.Cancel = v.Base + at
		}
	}
	return msg
}

// Tells reports whether anybody could be told of an entry.
func Tells(e record.Entry) bool {
	_, _, ok := meaning(e, memory{})
	return ok
}
