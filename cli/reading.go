package cli

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"

	"erfailover/failover/config"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// groupNames returns the names of the configured groups, sorted.
func groupNames(cfg config.Config) []string {
	topo := cfg.Topology()
	names := make([]string, len(topo.Groups))
	for i, g := range topo.Groups {
		names[i] = g.Name
	}
	return names
}

// readDocument loads a document into v and reports whether there is one.
func readDocument(ctx context.Context, store record.Store, key, kind string, v any) (bool, error) {
	doc, err := store.Load(ctx, key)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	body, err := record.Migrate(kind, doc.Body)
	if err != nil {
		return false, err
	}
	return true, json.Unmarshal(body, v)
}

// status is the body of GET /api/v1/status.
func (p *parts) status(ctx context.Context) (any, error) {
	in := report.Input{Now: p.clock.Now(), Memories: map[string]health.Memory{}, Health: map[string]health.Rule{}, Policy: map[string]policy.Rule{}}
	if _, err := readDocument(ctx, p.store, record.EstateKey, "estate", &in.Estate); err != nil {
		return nil, err
	}
	if in.Estate.Facts.Groups == nil {
		in.Estate.Facts = p.config.Topology()
	}
	for _, name := range groupNames(p.config) {
		g := record.Group{Name: name}
		if _, err := readDocument(ctx, p.store, record.GroupKey(name), "group", &g); err != nil {
			return nil, err
		}
		in.Groups = append(in.Groups, g)
		in.Health[name], in.Policy[name] = p.config.HealthRule(name), p.config.PolicyRule(name)
	}
	for _, c := range in.Estate.Facts.Circuits {
		var doc record.Circuit
		if _, err := readDocument(ctx, p.store, record.CircuitKey(c.Name), "circuit", &doc); err != nil {
			return nil, err
		}
		in.Memories[c.Name] = doc.Memory
	}
	return report.MakeStatus(in), nil
}

// operation is the body of GET /api/v1/operations/{id}.
func (p *parts) operation(ctx context.Context, id string) (any, error) {
	for _, name := range groupNames(p.config) {
		var g record.Group
		if _, err := readDocument(ctx, p.store, record.GroupKey(name), "group", &g); err != nil {
			return nil, err
		}
		if g.Operation != nil && g.Operation.ID == id {
			return report.MakeOperation(*g.Operation, p.config.PolicyRule(name).Objective), nil
		}
	}
	if err := record.CheckKey("read operation", record.OperationKey(id)); err != nil {
		return nil, err
	}
	var ended struct {
		Schema    int              `json:"schema"`
		Operation record.Operation `json:"operation"`
	}
	found, err := readDocument(ctx, p.store, record.OperationKey(id), "operation", &ended)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &fault.Error{Op: "read operation", Target: id, Kind: fault.NotFound, Hint: "list the group's operations in the status"}
	}
	return report.MakeOperation(ended.Operation, p.config.PolicyRule(ended.Operation.Group).Objective), nil
}

// ready says whether the record can be reached.
func (p *parts) ready(ctx context.Context) error {
	_, err := p.store.List(ctx, record.GroupKey(""), "", 1)
	return err
}
