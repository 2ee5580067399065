package notify

import (
	"context"
	"time"

	"erfailover/failover/record"
)

// Topic is what a message is about. The words are those of `for:` in the
// configuration.
type Topic string

// The topics.
const (
	Operation Topic = "operation" // one began, went on, ended; pauses; the kill switch
	Refusal   Topic = "refusal"   // trouble was seen and a guard said no; an order was refused; drift
	Approval  Topic = "approval"  // a person must agree
	Drill     Topic = "drill"     // announced, begun, ended
	Failure   Topic = "failure"   // an operation or a write failed, or we cannot work
)

// Severity says how loud a message is.
type Severity string

// The severities.
const (
	Info     Severity = "info"     // for the record
	Warning  Severity = "warning"  // look at it today
	Critical Severity = "critical" // look at it now
	Resolved Severity = "resolved" // what an earlier message of the same Key told is over
)

// Reason is a reason code and what would lift it.
type Reason struct {
	Code string `json:"code"`
	Lift string `json:"lift,omitzero"` // "" when nothing needs to
}

// Message is what is sent to one channel. Every text in it has been through
// record.Clean: no control or direction characters, nothing that looks like a
// secret. Each channel escapes what its target would read as markup.
type Message struct {
	ID        string    `json:"id"`   // "group.east/17": the journal row; the same when it is sent again
	Code      string    `json:"code"` // the journal entry's code, or "summary"
	Topic     Topic     `json:"topic"`
	Severity  Severity  `json:"severity"`
	Key       string    `json:"key"`                // of the trouble: the same at its begin and its end
	Resolves  []string  `json:"resolves,omitempty"` // keys of troubles that are over, in a summary
	Group     string    `json:"group,omitzero"`     // "" for the estate as a whole
	Circuit   string    `json:"circuit,omitzero"`
	Operation string    `json:"operation,omitzero"`
	Kind      string    `json:"kind,omitzero"` // of the operation: failover, failback, ...
	From      []string  `json:"from,omitempty"`
	To        []string  `json:"to,omitempty"`
	Epoch     int64     `json:"epoch,omitzero"`
	Result    string    `json:"result,omitzero"` // of an operation that ended: proven, applied, failed, ...
	Symmetry  string    `json:"symmetry,omitzero"`
	Actor     string    `json:"actor,omitzero"`
	Title     string    `json:"title"`
	Text      string    `json:"text"` // one sentence
	Why       []Reason  `json:"why,omitempty"`
	Next      []string  `json:"next,omitempty"`  // commands, the likeliest first
	Link      string    `json:"link,omitzero"`   // the page; "" when its address is not known
	Cancel    string    `json:"cancel,omitzero"` // where a person calls off what is announced; a proof by itself, for people only
	At        time.Time `json:"at"`
	Count     int       `json:"count"` // journal entries that this message stands for, at least 1
}

// Channel delivers messages to one place.
type Channel interface {
	// Send delivers messages in order and returns how many of them the other side
	// has taken for sure. Those after that may have arrived too. An error carries no
	// address and no key: a fault.Error whose Kind says whether to try again.
	Send(ctx context.Context, messages []Message) (int, error)
}

// Bounds of a message's texts, in bytes.
const (
	maxTitle = 160
	maxText  = 1000
	maxWord  = 128
	maxWhy   = 8 // reasons
)

func words(s string) string { return record.Clean(s, maxText) }

// codeTest is the code of a test message.
const codeTest = "test"

// Probe returns the message that `erfailover notify test` sends.
func Probe(now time.Time, link string) Message {
	at := now.UTC().Truncate(time.Second)
	return Message{
		ID: "test/" + at.Format("20060102T150405"), Code: codeTest, Topic: Operation, Severity: Info, Key: "erfailover/test",
		Title: "erfailover: a test", Text: "This is a test. Nothing has happened and nothing needs to be done.",
		Next: []string{"erfailover status"}, Link: link, At: at, Count: 1,
	}
}
