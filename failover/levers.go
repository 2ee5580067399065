package failover

import (
	"fmt"
	"slices"

	"erfailover/events"
	"erfailover/failover/fault"
)

// checkLever refuses an order whose lever makes no sense, before it is stored: a
// drill rehearses disconnect or link, a failover pulls disconnect or peering, and a
// link is named for lever link alone.
func checkLever(o events.Order) error {
	bad := func(hint, format string, args ...any) error {
		return &fault.Error{Op: "accept order", Target: o.Group, Kind: fault.Invalid, Hint: hint, Err: fmt.Errorf(format, args...)}
	}
	fits := map[events.Verb][]events.Lever{
		events.OrderDrill:    {events.LeverWeight, events.LeverDisconnect, events.LeverLink},
		events.OrderFailover: {events.LeverWeight, events.LeverDisconnect, events.LeverPeering},
	}
	switch {
	case o.Lever == "" && o.Link == "":
		return nil
	case o.Lever == "":
		return bad("name lever link with it, or no link", "link: %q is named without a lever", o.Link)
	case !slices.Contains(fits[o.Verb], o.Lever):
		return bad("drill takes disconnect or link, failover takes disconnect or peering; no other order takes a lever", "lever: an order to %s does not take %q", o.Verb, o.Lever)
	case o.Lever == events.LeverLink && o.Link != events.Primary && o.Link != events.Secondary:
		return bad("name primary or secondary", "link: %q is neither primary nor secondary", o.Link)
	case o.Lever != events.LeverLink && o.Link != "":
		return bad("only lever link cuts one link", "link: %q is named with lever %q", o.Link, o.Lever)
	}
	return nil
}
