package handlers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/fault"
)

// keyHeader makes a repeated order one order.
const keyHeader = "Idempotency-Key"

// Bounds of an order's fields.
const (
	maxKey       = 128
	maxReason    = 512 // bytes
	maxOverrides = 32
)

// orderBody is what a person may say in an order. Which fields a verb takes is
// checked by check; a field that it does not take is refused, never ignored.
type orderBody struct {
	To        string    `json:"to,omitzero"`
	MakeHome  bool      `json:"make_home,omitzero"`
	Operation string    `json:"operation,omitzero"`
	Plan      string    `json:"plan,omitzero"`
	Reason    string    `json:"reason,omitzero"`
	Overrides []string  `json:"overrides,omitempty"`
	Break     bool      `json:"break,omitzero"`
	Until     time.Time `json:"until,omitzero"`
}

// takes says which fields a verb may carry besides the reason.
func takes(v events.Verb) (move, home, decide, until bool) {
	switch v {
	case events.OrderFailover, events.OrderFailback:
		return true, false, false, false
	case events.OrderSwitchover:
		return true, true, false, false
	case events.OrderApprove, events.OrderCancel:
		return false, false, true, false
	case events.OrderPause:
		return false, false, false, true
	case events.OrderResume, events.OrderAcknowledge, events.OrderEvacuate, events.OrderKill, events.OrderUnkill:
		return false, false, false, false
	}
	return false, false, false, false
}

// check returns everything that is wrong with the body for this verb.
func (b orderBody) check(v events.Verb, now time.Time) []problemField {
	var bad []problemField
	deny := func(set bool, field string) {
		if set {
			bad = append(bad, problemField{field, "", fmt.Sprintf("nothing; %q does not take it", string(v))})
		}
	}
	name := func(field, got string) {
		if got != "" && !isName(got) {
			bad = append(bad, problemField{field, got, "a name of letters, digits, '-', '_' and '.'"})
		}
	}
	move, home, decide, until := takes(v)
	deny(!move && b.To != "", "/to")
	deny(!move && len(b.Overrides) > 0, "/overrides")
	deny(!move && b.Break, "/break")
	deny(!home && b.MakeHome, "/make_home")
	deny(!decide && b.Operation != "", "/operation")
	deny(v != events.OrderApprove && b.Plan != "", "/plan")
	deny(!until && !b.Until.IsZero(), "/until")
	name("/to", b.To)
	name("/operation", b.Operation)
	name("/plan", b.Plan)
	if decide && b.Operation == "" {
		bad = append(bad, problemField{"/operation", "", "the id of the operation"})
	}
	if until && !b.Until.IsZero() && !b.Until.After(now) {
		bad = append(bad, problemField{"/until", b.Until.Format(time.RFC3339), "a time to come"})
	}
	if b.Break && strings.TrimSpace(b.Reason) == "" {
		bad = append(bad, problemField{"/reason", "", "a reason; break-glass needs one"})
	}
	if len(b.Reason) > maxReason || !utf8.ValidString(b.Reason) || strings.ContainsFunc(b.Reason, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		bad = append(bad, problemField{"/reason", "", fmt.Sprintf("at most %d bytes of text on one line", maxReason)})
	}
	if len(b.Overrides) > maxOverrides {
		bad = append(bad, problemField{"/overrides", "", fmt.Sprintf("at most %d reason codes", maxOverrides)})
	}
	for i, code := range b.Overrides {
		name(fmt.Sprintf("/overrides/%d", i), code)
		if code == "" {
			bad = append(bad, problemField{fmt.Sprintf("/overrides/%d", i), "", "a reason code"})
		}
	}
	return bad
}

// accepted is the reply to an order.
type accepted struct {
	Order      string   `json:"order"` // the id under which the order is remembered
	Group      string   `json:"group"`
	Operations []string `json:"operations"`
}

// postOrder takes the orders of all verbs: the last part of the path is the verb.
func (s *server) postOrder(ctx context.Context, r request) (answer, error) {
	verb := events.Verb(path.Base(r.URL.Path))
	group := r.PathValue("group")
	if r.caller.Name == "" {
		return answer{}, &requestError{problem{Status: http.StatusForbidden, Title: "An order needs a name",
			Detail: "name yourself in the header " + userHeader}}
	}
	var body orderBody
	if err := decodeStrict(r, s.Limits.Order, &body); err != nil {
		return answer{}, err
	}
	now := s.Now().UTC()
	bad := body.check(verb, now)
	if !isName(group) {
		bad = append(bad, problemField{"group", group, "a name of letters, digits, '-', '_' and '.'"})
	}
	key, ok := idempotencyKey(r.Request)
	if !ok {
		bad = append(bad, problemField{keyHeader, "", fmt.Sprintf("one key of 1 to %d printable ASCII characters", maxKey)})
	}
	if len(bad) > 0 {
		return answer{}, badField(bad...)
	}
	sig, err := orderSignal(events.Order{
		Verb: verb, Group: group, To: body.To, MakeHome: body.MakeHome, Operation: body.Operation, Plan: body.Plan,
		By: r.caller.Name, Reason: body.Reason, Overrides: body.Overrides, Break: body.Break, Key: key, Until: body.Until,
	}, now)
	if err != nil {
		return answer{}, err
	}
	receipt, err := s.Engine.Handle(ctx, []events.Signal{sig})
	if err != nil {
		return answer{}, err
	}
	a := answer{status: http.StatusAccepted, location: base + "/status", body: accepted{
		Order: sig.ID, Group: group, Operations: append([]string{}, receipt.Operations...),
	}}
	if len(receipt.Operations) > 0 {
		a.location = base + "/operations/" + receipt.Operations[0]
	}
	return a, nil
}

// idempotencyKey returns the caller's key, or a fresh one when it sent none: then
// every request is an order of its own.
func idempotencyKey(r *http.Request) (string, bool) {
	v := r.Header.Values(keyHeader)
	if len(v) == 0 {
		return "auto-" + rand.Text(), true
	}
	return v[0], len(v) == 1 && printable(v[0], maxKey)
}

// orderSignal makes the command signal of an order. Its ID is a hash of the order,
// key and caller included and the time of arrival left out, so that an order sent
// twice is one order.
func orderSignal(o events.Order, now time.Time) (events.Signal, error) {
	raw, err := json.Marshal(o, json.Deterministic(true))
	if err != nil {
		return events.Signal{}, &fault.Error{Op: "write the order", Kind: fault.Internal, Err: err}
	}
	sum := sha256.Sum256(raw)
	return events.Signal{
		ID: "s-" + hex.EncodeToString(sum[:])[:20], Kind: events.Command, Observer: events.Person,
		Source: o.By, At: now, Order: &o,
	}, nil
}
