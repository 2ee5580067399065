package armnet

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

// healthVersion is the version of Resource Health, its announcements included.
const healthVersion = "2022-10-01"

// listFrom is how many circuits of one subscription are asked for in a list. Fewer are
// asked one by one: a role on the circuits alone is enough for that, and a list goes
// through all that the subscription has where Azure does not take the filter.
const listFrom = 20

const (
	opHealth   = "read resource health"
	healthPath = "/providers/Microsoft.ResourceHealth/availabilityStatuses"
)

// Availability reads what Resource Health says of circuits, in the order asked.
func (c *Client) Availability(ctx context.Context, circuits []string) []executor.Health {
	out := make([]executor.Health, len(circuits))
	by := map[string][]int{}
	for i, id := range circuits {
		out[i].Resource = id
		parsed, err := events.ParseResourceID(id)
		if err != nil || parsed.Type() != events.TypeCircuit || parsed.Subscription == "" {
			out[i].Err = &fault.Error{Op: opHealth, Target: clip(clean(id), 300), Kind: fault.Invalid, Err: errors.New("it is no ID of a circuit")}
			continue
		}
		by[parsed.Subscription] = append(by[parsed.Subscription], i)
	}
	var g errgroup.Group
	g.SetLimit(abreast)
	for sub, all := range by {
		g.Go(func() error {
			rest := all
			if len(all) >= listFrom {
				rest = c.listAvailability(ctx, sub, all, out)
			}
			c.eachAvailability(ctx, rest, out)
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	return out
}

// eachAvailability asks circuits one by one.
func (c *Client) eachAvailability(ctx context.Context, all []int, out []executor.Health) {
	var g errgroup.Group
	g.SetLimit(abreast)
	for _, i := range all {
		g.Go(func() error {
			id := events.Canonical(out[i].Resource)
			r, err := c.get(ctx, opHealth, id, c.base.String()+id+healthPath+"/current?api-version="+healthVersion)
			var h executor.Health
			switch {
			case errors.Is(err, fault.NotFound):
			case err != nil:
				h.Err = err
			default:
				if h, err = parseHealth(r.body); err != nil {
					h = executor.Health{Err: unreadable(opHealth, id, err)}
				}
			}
			h.Resource = out[i].Resource
			out[i] = h
			return nil
		})
	}
	_ = g.Wait()
}

// listAvailability asks for the circuits of a subscription in one list and returns
// those that it did not tell of. Whether Azure filters, nobody has proven: what is not
// asked for is passed over as it streams by. A list that is refused is no trouble:
// circuits are asked one by one.
func (c *Client) listAvailability(ctx context.Context, sub string, all []int, out []executor.Health) (rest []int) {
	at := map[string]int{}
	for _, i := range all {
		at[events.Canonical(out[i].Resource)] = i
	}
	l := listing{op: opHealth, target: "/subscriptions/" + sub, path: "/subscriptions/" + sub + healthPath, version: healthVersion,
		filter: "resourceType eq 'Microsoft.Network/expressRouteCircuits'"}
	told := map[int]bool{}
	err := c.briefList(ctx, l, func(raw jsontext.Value) error {
		var b struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			return err
		}
		i, wanted := at[events.Canonical(b.ID)]
		if !wanted {
			return nil
		}
		h, err := parseHealth(raw)
		if err == nil {
			h.Resource = out[i].Resource
			out[i], told[i] = h, true
		}
		return err
	})
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Kind == fault.Throttled {
		for _, i := range all {
			if !told[i] {
				out[i].Err = err
			}
		}
		return nil
	}
	for _, i := range all {
		if !told[i] {
			rest = append(rest, i)
		}
	}
	return rest
}

// parseHealth reads one availability status. Azure spells occuredTime with one r here,
// and with two elsewhere.
func parseHealth(body []byte) (executor.Health, error) {
	var b struct {
		Properties *struct {
			State      *string `json:"availabilityState"`
			Reason     string  `json:"reasonType"`
			Chronicity string  `json:"reasonChronicity"`
			Cause      string  `json:"healthEventCause"`
			Context    string  `json:"context"`
			Title      string  `json:"title"`
			Summary    string  `json:"summary"`
			Occured    string  `json:"occuredTime"`
			Occurred   string  `json:"occurredTime"`
			Reported   string  `json:"reportedTime"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return executor.Health{}, err
	}
	p := b.Properties
	if p == nil {
		return executor.Health{}, errors.New("properties: is missing")
	}
	h := executor.Health{Found: true, Reason: clip(clean(p.Reason), 100), Chronicity: clip(clean(p.Chronicity), 40), Cause: clip(clean(p.Cause), 60),
		Context: clip(clean(p.Context), 60), Text: scrub(strings.TrimPrefix(p.Title+"; "+p.Summary, "; "))}
	if p.State != nil {
		h.State = clip(clean(*p.State), 40)
	}
	if p.Occured == "" {
		p.Occured = p.Occurred
	}
	var err error
	if h.Occurred, err = optionalTime("occuredTime", p.Occured); err != nil {
		return executor.Health{}, err
	}
	if h.Reported, err = optionalTime("reportedTime", p.Reported); err != nil {
		return executor.Health{}, err
	}
	return h, nil
}

// optionalTime reads a time, zero when there is none.
func optionalTime(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, errors.New(field + `: "` + clip(clean(s), 40) + `" is no time`)
	}
	return at.UTC(), nil
}
