package handlers

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/fault"
)

// keyHeader makes a repeated order one order.
const keyHeader = "Idempotency-Key"

// Bounds of an order's fields.
const (
	maxKey       = 128
	maxReason    = 512 // bytes
	maxOverrides = 32
	maxPlace     = 128 // bytes of a location's or provider's name
)

// orderBody is what a person may say in an order. Which fields a verb takes is
// checked by check; a field that it does not take is refused, never ignored.
type orderBody struct {
	To        string       `json:"to,omitzero"`         // the circuit to move to; absent lets the policy choose
	From      string       `json:"from,omitzero"`       // evacuate: the peering location or provider to leave; with a lever: the circuit to cut, absent is the first that carries
	Lever     events.Lever `json:"lever,omitzero"`      // drill: disconnect or link; failover: disconnect or peering; absent moves weights
	Link      events.Link  `json:"link,omitzero"`       // with lever link: primary or secondary
	MakeHome  bool         `json:"make_home,omitzero"`  // switchover: the new circuit becomes home
	Operation string       `json:"operation,omitzero"`  // approve, cancel: the operation meant; cancel: or the scheduled order
	Plan      string       `json:"plan,omitzero"`       // approve: the plan that was read; needed
	Reason    string       `json:"reason,omitzero"`     // why, in the person's words; at most 512 bytes
	Overrides []string     `json:"overrides,omitempty"` // reason codes of guards to override, by name
	Break     bool         `json:"break,omitzero"`      // break-glass: may override last-path too; needs a reason
	Until     time.Time    `json:"until,omitzero"`      // pause, kill, drill: when it ends by itself
	NotBefore time.Time    `json:"not_before,omitzero"` // switchover, failback, evacuate, drill: not now but then, by the guards of then
}

// fields says which fields a verb may carry besides the reason.
type fields struct{ move, from, home, decide, until bool }

// takes returns the fields of a verb.
func takes(v events.Verb) fields {
	switch v {
	case events.OrderFailover, events.OrderFailback:
		return fields{move: true}
	case events.OrderSwitchover:
		return fields{move: true, home: true}
	case events.OrderEvacuate:
		return fields{move: true, from: true}
	case events.OrderDrill:
		return fields{move: true, until: true}
	case events.OrderPause, events.OrderKill:
		return fields{until: true}
	case events.OrderApprove, events.OrderCancel:
		return fields{decide: true}
	case events.OrderResume, events.OrderAcknowledge, events.OrderUnkill:
	}
	return fields{}
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
	f := takes(v)
	deny(!f.move && b.To != "", "/to")
	deny(!f.from && !b.Lever.Cuts() && b.From != "", "/from")
	deny(!f.move && len(b.Overrides) > 0, "/overrides")
	deny(!f.move && b.Break, "/break")
	deny(!f.home && b.MakeHome, "/make_home")
	deny(!f.decide && b.Operation != "", "/operation")
	deny(v != events.OrderApprove && b.Plan != "", "/plan")
	deny(!f.until && !b.Until.IsZero(), "/until")
	bad = append(bad, b.checkTime(v, now)...)
	bad = append(bad, b.checkLever(v)...)
	name("/to", b.To)
	name("/operation", b.Operation)
	name("/plan", b.Plan)
	if f.decide && b.Operation == "" {
		bad = append(bad, problemField{"/operation", "", "the id of the operation"})
	}
	if v == events.OrderApprove && b.Plan == "" {
		bad = append(bad, problemField{"/plan", "", "the id of the plan that you have read; what waits is shown with it"})
	}
	if f.until && !b.Until.IsZero() && !b.Until.After(now) {
		bad = append(bad, problemField{"/until", b.Until.Format(time.RFC3339), "a time to come"})
	}
	if f.from && !words(b.From, maxPlace) {
		bad = append(bad, problemField{"/from", b.From, "the peering location or the provider to leave"})
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

// checkTime returns what is wrong with the time of an order. The engine has the last
// word on how far ahead it may be.
func (b orderBody) checkTime(v events.Verb, now time.Time) []problemField {
	switch {
	case b.NotBefore.IsZero():
		return nil
	case !failover.Schedulable(v):
		return []problemField{{"/not_before", "", fmt.Sprintf("nothing; %q is given for now. switchover, failback, evacuate and drill can be given for a time to come", string(v))}}
	case !b.NotBefore.After(now):
		return []problemField{{"/not_before", b.NotBefore.Format(time.RFC3339), "a time to come"}}
	case !b.Until.IsZero() && !b.Until.After(b.NotBefore):
		return []problemField{{"/until", b.Until.Format(time.RFC3339), "a time after not_before"}}
	}
	return nil
}

// checkLever returns what is wrong with the lever and the link. An order that the
// engine would refuse for its form is refused here, by field.
func (b orderBody) checkLever(v events.Verb) []problemField {
	var bad []problemField
	takes := map[events.Verb][]events.Lever{
		events.OrderDrill:    {events.LeverWeight, events.LeverDisconnect, events.LeverLink},
		events.OrderFailover: {events.LeverWeight, events.LeverDisconnect, events.LeverPeering},
	}[v]
	switch {
	case b.Lever != "" && len(takes) == 0:
		bad = append(bad, problemField{"/lever", "", fmt.Sprintf("nothing; %q does not take it", string(v))})
	case b.Lever != "" && !slices.Contains(takes, b.Lever):
		bad = append(bad, problemField{"/lever", string(b.Lever), fmt.Sprintf("one of %v for %q", takes, string(v))})
	}
	switch {
	case b.Lever == events.LeverLink && b.Link != events.Primary && b.Link != events.Secondary:
		bad = append(bad, problemField{"/link", string(b.Link), "primary or secondary"})
	case b.Lever != events.LeverLink && b.Link != "":
		bad = append(bad, problemField{"/link", "", "nothing without lever link"})
	}
	if b.Lever.Cuts() && b.From != "" && !isName(b.From) {
		bad = append(bad, problemField{"/from", b.From, "the circuit to cut"})
	}
	return bad
}

// words says whether s is 1 to max bytes of text on one line.
func words(s string, max int) bool {
	return strings.TrimSpace(s) != "" && len(s) <= max && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// readOrder reads and checks an order. The last part of the path is the verb.
func (s *server) readOrder(r request) (events.Order, error) {
	verb, group := events.Verb(path.Base(r.URL.Path)), r.PathValue("group")
	if r.caller.Name == "" {
		return events.Order{}, &requestError{problem{Status: http.StatusForbidden, Title: "An order needs a name",
			Detail: "name yourself in the header " + userHeader}}
	}
	var body orderBody
	if err := decodeStrict(r, s.Limits.Order, &body); err != nil {
		return events.Order{}, err
	}
	bad := body.check(verb, s.Now().UTC())
	if strings.Contains(r.Pattern, "{group}") && !isName(group) {
		bad = append(bad, problemField{"group", group, "a name of letters, digits, '-', '_' and '.'"})
	}
	key, ok := idempotencyKey(r.Request)
	if !ok {
		bad = append(bad, problemField{keyHeader, "", fmt.Sprintf("one key of 1 to %d printable ASCII characters", maxKey)})
	}
	if len(bad) > 0 {
		return events.Order{}, badField(bad...)
	}
	o := body.order(verb, group)
	o.By, o.Subject, o.Key = r.caller.Name, r.caller.Subject, key
	return o, nil
}

// order makes the order that a body asks for.
func (b orderBody) order(v events.Verb, group string) events.Order {
	return events.Order{Verb: v, Group: group, From: b.From, To: b.To, Lever: b.Lever, Link: b.Link, MakeHome: b.MakeHome, Operation: b.Operation, Plan: b.Plan,
		Reason: b.Reason, Overrides: b.Overrides, Break: b.Break, Until: b.Until, NotBefore: b.NotBefore}
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
