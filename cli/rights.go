package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// neededRoles says which roles a configuration asks for: who never acts needs no right
// to write.
func neededRoles(cfg config.Config) map[report.Role]bool {
	out := map[report.Role]bool{report.RoleObserver: true}
	for _, g := range cfg.Groups {
		if g.Mode != policy.Observe {
			out[report.RoleOperator] = true
		}
		if slices.Contains(g.Levers, policy.LeverDisconnect) {
			out[report.RoleDrill] = true
		}
	}
	for _, d := range cfg.Drills {
		out[report.RoleOperator] = out[report.RoleOperator] || d.Kind == config.DrillMove || d.Kind == config.DrillEvacuate
		out[report.RoleDrill] = out[report.RoleDrill] || d.Kind == config.DrillDisconnect || d.Kind == config.DrillLink
	}
	return out
}

// scopes lists the resources that rights are needed on: what the configuration names,
// and the connections and ports that are found there.
func scopes(ctx context.Context, cfg config.Config, net *armnet.Client) []report.Scope {
	topo := cfg.Topology()
	var refs []executor.Ref
	var ids []string
	for _, c := range topo.Circuits {
		ids = append(ids, c.ID)
		refs = append(refs, executor.Ref{Kind: executor.RefCircuit, ID: c.ID})
	}
	for _, g := range topo.Gateways {
		ids = append(ids, g.ID)
		refs = append(refs, executor.Ref{Kind: executor.RefConnections, ID: g.ID})
	}
	for _, got := range net.Read(ctx, refs) {
		if got.Circuit != nil && got.Circuit.Port != "" {
			ids = append(ids, got.Circuit.Port)
		}
		for _, k := range got.Connections {
			ids = append(ids, k.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var out []report.Scope
	for _, h := range net.Rights(ctx, ids) {
		s := report.Scope{ID: h.ID, Known: h.Err == nil}
		if id, err := events.ParseResourceID(h.ID); err == nil {
			s.Type = id.Type()
		}
		for _, p := range h.Permissions {
			s.Held = append(s.Held, report.Permission(p))
		}
		out = append(out, s)
	}
	return out
}

// identityKind says in words who talks to Azure.
func identityKind(i config.Identity) string {
	switch i.Kind {
	case config.IdentityManaged:
		if i.ClientID != "" {
			return "managed identity, user-assigned, client " + i.ClientID
		}
		return "managed identity, system-assigned"
	case config.IdentityWorkload:
		return "workload identity"
	case config.IdentityDeveloper:
		return "developer login (az or azd)"
	}
	return string(i.Kind)
}

// permissions prints what the identity holds of what the program needs. It fails when
// something is missing that the configuration asks for.
func permissions(ctx context.Context, cfg config.Config, net *armnet.Client, format string, w io.Writer) error {
	needed := neededRoles(cfg)
	rights := report.CompareRights(scopes(ctx, cfg, net))
	switch format {
	case "text":
		fmt.Fprintf(w, "identity: %s\n\n", identityKind(cfg.Azure.Identity))
		for _, h := range rights {
			rightText(w, h, needed[h.Role] && !h.Desk)
		}
	case "json":
		err := json.MarshalWrite(w, struct {
			Identity string             `json:"identity"`
			Rights   []report.RightHeld `json:"rights"`
		}{identityKind(cfg.Azure.Identity), rights}, jsontext.Multiline(true))
		if err != nil {
			return err
		}
	default:
		return &exitError{exitUsage, fmt.Errorf("--format: got %q, want text or json with --permissions", format)}
	}
	missing := 0
	for _, h := range rights {
		if needed[h.Role] && !h.Desk && len(h.Missing) > 0 {
			missing++
		}
	}
	if missing > 0 {
		return &exitError{exitFailed, &fault.Error{Op: "check permissions", Kind: fault.Denied, Hint: "give the identity the roles that are named; a new assignment takes some minutes to count",
			Err: fmt.Errorf("%d actions that the configuration needs are not held", missing)}}
	}
	return nil
}

// rightText prints one action.
func rightText(w io.Writer, h report.RightHeld, needed bool) {
	fmt.Fprintf(w, "%-11s  %s\n             %s\n", h.Answer(), h.Action, h.Why)
	for _, part := range []struct {
		what string
		ids  []string
	}{{"not on", h.Missing}, {"not known on", h.Unknown}} {
		what, ids := part.what, part.ids
		if len(ids) == 0 {
			continue
		}
		var names []string
		for _, id := range ids[:min(len(ids), 5)] {
			names = append(names, id[strings.LastIndexByte(id, '/')+1:])
		}
		if more := len(ids) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		fmt.Fprintf(w, "             %s %d of %d: %s\n", what, len(ids), h.Count, strings.Join(names, ", "))
	}
	role := "role " + string(h.Role)
	if !needed {
		role += "; this configuration does not need it"
	}
	fmt.Fprintf(w, "             %s\n", role)
}

// lacking returns the actions that a configuration needs and the identity does not
// hold everywhere, and those that are not known.
func lacking(cfg config.Config, rights []report.RightHeld) (missing, unknown []string) {
	needed := neededRoles(cfg)
	for _, h := range rights {
		switch {
		case !needed[h.Role] || h.Desk:
		case len(h.Missing) > 0:
			missing = append(missing, h.Action)
		case len(h.Unknown) > 0:
			unknown = append(unknown, h.Action)
		}
	}
	return missing, unknown
}

// Bounds of the line about the identity.
const (
	identityDelay    = time.Minute // a cold start and its first events have this time to themselves
	identityPatience = 10 * time.Minute
	rightsGood       = time.Hour
)

// rightsHeld returns what the identity lacks, from the record or, when that is old or
// of another configuration, from Azure.
func (p *parts) rightsHeld(ctx context.Context) (record.Rights, error) {
	now := p.clock.Now()
	doc := record.Rights{}
	stored, err := p.store.Load(ctx, record.RightsKey)
	switch {
	case errors.Is(err, fault.NotFound):
	case err != nil:
		return doc, err
	default:
		if err := record.Decode(record.RightsKey, stored.Body, &doc); err != nil {
			return doc, err
		}
		if doc.Config == p.config.Hash() && now.Before(doc.At.Add(rightsGood)) {
			return doc, nil
		}
	}
	doc = record.Rights{Schema: record.Schema, Config: p.config.Hash(), At: now}
	doc.Missing, doc.Unknown = lacking(p.config, report.CompareRights(scopes(ctx, p.config, p.net)))
	body, err := json.Marshal(doc, json.Deterministic(true))
	if err != nil {
		return doc, err
	}
	_, err = p.store.Save(ctx, record.Document{Key: record.RightsKey, ETag: stored.ETag, Nonce: randomID(), Body: body})
	if errors.Is(err, fault.Conflict) {
		err = nil // another instance has asked as well
	}
	return doc, err
}

// tellIdentityLater does so a while after the start, and not in a demo.
func tellIdentityLater(ctx context.Context, p *parts) {
	t := time.NewTimer(identityDelay)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
		tellIdentity(ctx, p)
	}
}

// tellIdentity logs once who talks to Azure and what it may not do. Nothing waits for
// it. What was found stands in the
// record for an hour, so that ten instances that start together ask once.
func tellIdentity(ctx context.Context, p *parts) {
	ctx, cancel := context.WithTimeout(ctx, identityPatience)
	defer cancel()
	doc, err := p.rightsHeld(ctx)
	if err != nil {
		p.log.Warn().Str("event", "identity.rights").Str("identity", identityKind(p.config.Azure.Identity)).Str("hint", fault.HintOf(err)).Err(err).Msg("what the identity may not do is not known")
		return
	}
	e := p.log.Info()
	if len(doc.Missing) > 0 {
		e = p.log.Warn()
	}
	e.Str("event", "identity.rights").Str("identity", identityKind(p.config.Azure.Identity)).Strs("missing", doc.Missing).Strs("unknown", doc.Unknown).Time("read_at", doc.At).
		Str("hint", "erfailover check --permissions tells on what, why, and the role that gives it").Msg("who talks to Azure, and what it may not do")
}
