package armnet

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

const (
	opPlanned  = "read planned work"
	eventsPath = "/providers/Microsoft.ResourceHealth/events"

	maxWork = 200 // announcements of one subscription that are looked into
)

// PlannedWork reads the planned work that Service Health announces for the
// subscriptions of circuits, and which of the circuits each names. Where a list of the
// subscription is refused, each circuit is asked which announcements name it.
func (c *Client) PlannedWork(ctx context.Context, circuits []string) []executor.Planned {
	by := map[string][]string{}
	for _, id := range circuits {
		if parsed, err := events.ParseResourceID(id); err == nil && parsed.Type() == events.TypeCircuit && parsed.Subscription != "" {
			by[parsed.Subscription] = append(by[parsed.Subscription], parsed.String())
		}
	}
	subs := slices.Sorted(maps.Keys(by))
	out := make([]executor.Planned, len(subs))
	var g errgroup.Group
	g.SetLimit(abreast)
	for i, sub := range subs {
		g.Go(func() error {
			out[i] = c.plannedIn(ctx, sub, by[sub])
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	return out
}

// plannedIn reads the planned work of one subscription.
func (c *Client) plannedIn(ctx context.Context, sub string, circuits []string) executor.Planned {
	out := executor.Planned{Subscription: sub}
	scope := "/subscriptions/" + sub
	all, err := c.listWork(ctx, scope, scope+eventsPath)
	if errors.Is(err, fault.Denied) {
		return c.plannedOfEach(ctx, sub, circuits)
	}
	if err != nil {
		out.Err = err
		return out
	}
	for i := range all {
		if all[i].Circuits, all[i].Named, err = c.impacted(ctx, scope, all[i].Tracking, circuits); err != nil {
			out.Err = err // it stands as it is announced: for its regions
		}
	}
	out.Work = all
	return out
}

// plannedOfEach asks each circuit which announcements name it: a role on the circuits
// alone is enough for that.
func (c *Client) plannedOfEach(ctx context.Context, sub string, circuits []string) executor.Planned {
	out := executor.Planned{Subscription: sub}
	if len(circuits) > maxSingles {
		circuits = circuits[:maxSingles]
		out.Err = &fault.Error{Op: opPlanned, Target: "/subscriptions/" + sub, Kind: fault.Denied,
			Hint: "give the identity the role ExpressRoute Failover Observer on the subscription: its announcements may not be listed, and only the first hundred circuits are asked one by one",
			Err:  errors.New("the announcements of the subscription may not be read")}
	}
	lists, errs := make([][]executor.Work, len(circuits)), make([]error, len(circuits))
	var g errgroup.Group
	g.SetLimit(abreast)
	for i, id := range circuits {
		g.Go(func() error {
			lists[i], errs[i] = c.listWork(ctx, id, id+eventsPath)
			return nil
		})
	}
	_ = g.Wait()
	at := map[string]int{}
	for i, list := range lists {
		if errs[i] != nil && !errors.Is(errs[i], fault.NotFound) {
			out.Err = errs[i]
		}
		for _, w := range list {
			if _, known := at[w.Tracking]; !known {
				at[w.Tracking] = len(out.Work)
				w.Named = true
				out.Work = append(out.Work, w)
			}
			k := at[w.Tracking]
			out.Work[k].Circuits = append(out.Work[k].Circuits, circuits[i])
		}
	}
	return out
}

// listWork lists the planned work of a scope.
func (c *Client) listWork(ctx context.Context, target, path string) ([]executor.Work, error) {
	var out []executor.Work
	err := c.briefList(ctx, listing{op: opPlanned, target: target, path: path, version: healthVersion, filter: "eventType eq 'PlannedMaintenance'"}, func(raw jsontext.Value) error {
		w, planned, err := parseWork(raw)
		if err == nil && planned && len(out) < maxWork {
			out = append(out, w)
		}
		return err
	})
	return out, err
}

// impacted returns which of the circuits an announcement names, and whether it names
// anything.
func (c *Client) impacted(ctx context.Context, scope, tracking string, circuits []string) (ours []string, named bool, err error) {
	l := listing{op: opPlanned, target: scope + eventsPath + "/" + tracking, path: scope + eventsPath + "/" + tracking + "/impactedResources", version: healthVersion}
	err = c.briefList(ctx, l, func(raw jsontext.Value) error {
		var b struct {
			Properties struct {
				Target string `json:"targetResourceId"`
			} `json:"properties"`
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			return err
		}
		id, err := events.ParseResourceID(b.Properties.Target)
		if err != nil {
			return nil // named in a way that names nothing of ours
		}
		named = true
		if up, is := id.Up(events.TypeCircuit); is && slices.Contains(circuits, up.String()) && !slices.Contains(ours, up.String()) {
			ours = append(ours, up.String())
		}
		return nil
	})
	if errors.Is(err, fault.NotFound) {
		return nil, false, nil
	}
	return ours, named && err == nil, err
}

// briefList reads a list page by page, each tried as any read is: whoever polls comes
// round again, and waits for nothing.
func (c *Client) briefList(ctx context.Context, l listing, each func(jsontext.Value) error) error {
	for next, page := c.listAddress(l), 0; next != ""; page++ {
		if page == maxPages {
			return unreadable(l.op, l.target, errors.New("the list does not end"))
		}
		r, err := c.get(ctx, l.op, l.target, next)
		if err != nil {
			return err
		}
		var list struct {
			Value *[]jsontext.Value `json:"value"`
			Next  string            `json:"nextLink"`
		}
		if err := json.Unmarshal(r.body, &list); err != nil {
			return unreadable(l.op, l.target, err)
		}
		if list.Value == nil {
			return unreadable(l.op, l.target, errors.New("value: is missing"))
		}
		for _, v := range *list.Value {
			if err := each(v); err != nil {
				return unreadable(l.op, l.target, err)
			}
		}
		if next = list.Next; next != "" {
			if err := c.checkNext(l.op, l.target, next); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseWork reads one event of Service Health, and whether it is planned work.
func parseWork(body []byte) (executor.Work, bool, error) {
	var b struct {
		Name       string `json:"name"`
		Properties struct {
			Type    string `json:"eventType"`
			Status  string `json:"status"`
			Title   string `json:"title"`
			Updated string `json:"lastUpdateTime"`
			Start   string `json:"impactStartTime"`
			End     string `json:"impactMitigationTime"`
			Impact  []struct {
				Service string `json:"impactedService"`
				Regions []struct {
					Name string `json:"impactedRegion"`
				} `json:"impactedRegions"`
			} `json:"impact"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return executor.Work{}, false, err
	}
	p := b.Properties
	if !strings.EqualFold(p.Type, "PlannedMaintenance") {
		return executor.Work{}, false, nil
	}
	if !trackingID(b.Name) {
		return executor.Work{}, false, errors.New(`name: "` + clip(clean(b.Name), 60) + `" is no tracking ID`)
	}
	w := executor.Work{Tracking: b.Name, Status: clip(clean(p.Status), 40), Title: scrub(p.Title)}
	for _, i := range p.Impact {
		w.Services = append(w.Services, clip(clean(i.Service), 100))
		for _, r := range i.Regions {
			if name := clip(clean(r.Name), 60); !slices.Contains(w.Regions, name) {
				w.Regions = append(w.Regions, name)
			}
		}
	}
	var errs [3]error
	w.Start, errs[0] = optionalTime("impactStartTime", p.Start)
	w.End, errs[1] = optionalTime("impactMitigationTime", p.End)
	w.Updated, errs[2] = optionalTime("lastUpdateTime", p.Updated)
	return w, true, errors.Join(errs[:]...)
}

// trackingID reports whether a name can stand in an address as it is.
func trackingID(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
