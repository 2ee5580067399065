package cli

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/record"
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
		Look: p.look, Operation: o.Views.Operation, Plan: p.planned, Journal: journalOf(o.Views), API: api, Now: o.Now,
		AskName: mode == handlers.ModeFunctionKey || mode == handlers.ModeLoopback,
	})
	if err != nil {
		p.log.Error().Str("event", "page.missing").Err(err).Msg("the dashboard is not served")
		return o
	}
	o.API = dash
	return o
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

// journalOf reads the newest entries of a group's journal, or of the estate's own.
func journalOf(views *handlers.Views) func(ctx context.Context, group string, before uint64, limit int) ([]record.Entry, error) {
	return func(ctx context.Context, group string, before uint64, limit int) ([]record.Entry, error) {
		stream := "estate"
		if group != "" {
			stream = "group." + group
		}
		got, err := views.Journal(ctx, stream, before, limit)
		return got.Entries, err
	}
}
