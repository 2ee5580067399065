package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/shadow"
	"erfailover/handlers"
	"erfailover/handlers/page"
)

// withPage adds the dashboard to a handler. Its orders go through the API like
// anybody's: a face of the same parts that is called in process.
func (p *parts) withPage(o handlers.Options) handlers.Options {
	api, err := handlers.New(o)
	if err != nil {
		return o // Serve says the same error
	}
	mode := o.Auth.Mode
	dash, err := page.New(page.Options{
		Look: p.look, Operation: o.Views.Operation, Plan: p.planned, Journal: p.journal(), API: api, Now: o.Now, Sees: seen,
		Ready: o.Views.Readiness, Drills: p.rehearsals, Graded: p.graded(o.Views),
		AskName: mode == handlers.ModeFunctionKey || mode == handlers.ModeLoopback,
	})
	if err != nil {
		p.log.Error().Str("event", "page.missing").Err(err).Msg("the dashboard is not served")
		return o
	}
	o.API = dash
	return o
}

// rehearsals lists the drills for the page.
func (p *parts) rehearsals(ctx context.Context) ([]page.Drill, error) {
	list, err := drillDesk{p}.List(ctx)
	out := make([]page.Drill, 0, len(list))
	for _, v := range list {
		d := page.Drill{Name: v.Name, Group: v.Group, Kind: string(v.Kind), Says: v.Says, Next: v.Next, Running: v.Running}
		if l := v.Last; l != nil {
			d.LastAt, d.Good, d.Last = l.Ended, l.Result == drill.Passed, string(l.Result)
			if l.RecoveryMS > 0 {
				d.Last += ", recovery " + (time.Duration(l.RecoveryMS) * time.Millisecond).Round(time.Second).String()
			}
			if l.Why != "" {
				d.Last += ": " + l.Why
			}
		}
		out = append(out, d)
	}
	return out, err
}

// graded tells the page what past decisions were worth.
func (p *parts) graded(views *handlers.Views) func(context.Context, func(string) bool) ([]page.Graded, error) {
	const newest = 3
	return func(ctx context.Context, sees func(string) bool) ([]page.Graded, error) {
		names := slices.DeleteFunc(sortedKeys(p.config.Groups), func(n string) bool { return !sees(n) })
		got, err := views.Shadow(ctx, names)
		var out []page.Graded
		for _, g := range got.Groups {
			one, counts := page.Graded{Group: g.Group, Mode: "mode " + g.Mode}, map[shadow.Grade]int{}
			for _, c := range g.Cases {
				counts[c.Grade]++
			}
			for _, grade := range []shadow.Grade{shadow.Right, shadow.Saved, shadow.Harmful, shadow.TooLate, shadow.Open} {
				if n := counts[grade]; n > 0 {
					one.Counts += fmt.Sprintf("%s%d %s", map[bool]string{true: ", "}[one.Counts != ""], n, grade)
				}
			}
			for i := len(g.Cases) - 1; i >= 0 && len(one.Newest) < newest; i-- {
				one.Newest = append(one.Newest, page.GradedCase{Grade: string(g.Cases[i].Grade), Says: g.Cases[i].Says, At: g.Cases[i].BadAt})
			}
			if len(g.Regrets) > 0 && g.Regrets[0].RegretMS > 0 {
				one.Regret = fmt.Sprintf("%s is regretted most: it has cost %s more than it brought, in %d cases. Try another rule with erfailover replay.", g.Regrets[0].Code, (time.Duration(g.Regrets[0].RegretMS) * time.Millisecond).Round(time.Second), g.Regrets[0].Cases)
			}
			out = append(out, one)
		}
		return out, err
	}
}

// seen says which groups the caller of a page may see; nil for everything.
func seen(r *http.Request) func(group string) bool {
	if c, ok := handlers.CallerOf(r.Context()); ok && !c.SeesAll() {
		return c.Sees
	}
	return nil
}

// look is one look at the estate for the page.
func (p *parts) look(ctx context.Context) (page.Look, error) {
	st, err := handlers.NewViews(p.engine).Status(ctx)
	if err != nil {
		return page.Look{}, err
	}
	out := page.Look{Status: st, Estate: p.config.Topology()}
	doc, err := p.store.Load(ctx, record.EstateKey)
	if errors.Is(err, fault.NotFound) {
		return out, nil // nothing was discovered yet
	}
	if err != nil {
		return page.Look{}, err
	}
	body, err := record.Migrate("estate", doc.Body)
	if err != nil {
		return page.Look{}, err
	}
	var estate record.Estate
	if err := json.Unmarshal(body, &estate); err != nil {
		return page.Look{}, err
	}
	if estate.Facts.Groups != nil {
		out.Estate = estate.Facts
	}
	return out, nil
}

// planned says what an order would do now.
func (p *parts) planned(ctx context.Context, o events.Order) (page.Plan, error) {
	v, err := p.engine.Preview(ctx, o.Group, &o)
	return page.Plan{Verdict: v.Verdict, Plan: v.Plan, Refused: v.Refused}, err
}

// rows remembers journal rows, which never change once they are written: an open
// page reads only new ones.
type rows struct {
	record.Store
	mu   sync.Mutex
	kept map[string]record.Document
}

// Load implements record.Store.
func (c *rows) Load(ctx context.Context, key string) (record.Document, error) {
	if !strings.HasPrefix(key, "journal/") {
		return c.Store.Load(ctx, key)
	}
	c.mu.Lock()
	doc, ok := c.kept[key]
	c.mu.Unlock()
	if ok {
		return doc, nil
	}
	doc, err := c.Store.Load(ctx, key)
	if err == nil {
		c.mu.Lock()
		if len(c.kept) >= 4096 {
			clear(c.kept)
		}
		c.kept[key] = doc
		c.mu.Unlock()
	}
	return doc, err
}

// journal reads journals for the page.
func (p *parts) journal() func(ctx context.Context, stream string, before uint64, limit int) ([]record.Entry, error) {
	set := p.engine.Settings
	set.Store = &rows{Store: p.store, kept: map[string]record.Document{}}
	views := handlers.NewViews(failover.New(set))
	return func(ctx context.Context, stream string, before uint64, limit int) ([]record.Entry, error) {
		got, err := views.Journal(ctx, stream, before, limit)
		return got.Entries, err
	}
}
