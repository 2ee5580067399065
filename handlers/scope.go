package handlers

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"

	"erfailover/failover/drill"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// Actions of a grant besides the verbs of orders.
const (
	mayRead    = "read"
	mayOrder   = "order" // every order but an approval
	mayApprove = "approve"
	mayDrill   = "drill" // the order, and every order about the calendar's drills
)

// wholeEstate is the name of all groups, and of what is about no single one.
const wholeEstate = "*"

// Grant narrows what roles allow to some groups.
type Grant struct {
	Who    []string // object IDs, "role:NAME", "group:ID", or "*"
	May    []string // mayRead, mayOrder, mayApprove, or the verb of an order
	Groups []string // names, or wholeEstate
}

// scope is what grants leave of a caller's roles. The zero value leaves all.
type scope struct {
	limited bool
	grants  []Grant // that name the caller
}

// scopeOf finds the grants of a caller. Without any grant in the configuration
// nobody is limited; with some, whoever none of them names sees nothing.
func scopeOf(grants []Grant, c Caller) scope {
	s := scope{limited: len(grants) > 0}
	for _, g := range grants {
		if slices.ContainsFunc(g.Who, c.is) {
			s.grants = append(s.grants, g)
		}
	}
	return s
}

// is reports whether a word of a grant names the caller.
func (c Caller) is(who string) bool {
	return who == "*" || slices.ContainsFunc(append([]string{c.Subject}, c.Tags...), func(t string) bool { return t != "" && strings.EqualFold(t, who) })
}

// allows reports whether a grant covers an action in a group. Every action includes
// reading.
func (s scope) allows(action, group string) bool {
	return !s.limited || slices.ContainsFunc(s.grants, func(g Grant) bool {
		if !slices.Contains(g.Groups, group) && !slices.Contains(g.Groups, wholeEstate) {
			return false
		}
		return action == mayRead || slices.Contains(g.May, action) || (action != mayApprove && slices.Contains(g.May, mayOrder))
	})
}

// Sees reports whether the caller may know of a group.
func (c Caller) Sees(group string) bool { return c.scope.allows(mayRead, group) }

// SeesAll reports whether nothing of the estate is hidden from the caller.
func (c Caller) SeesAll() bool { return c.Sees(wholeEstate) }

// ofDrill reports whether a route is about one drill of the calendar: the drill tells
// its group.
func (rt route) ofDrill() bool { return strings.Contains(rt.path, "{drill}") }

// action is what a route does, in the words of grants.
func (rt route) action() string {
	if rt.ofDrill() && rt.role == Operator {
		return mayDrill
	}
	switch rt.role {
	case Approver:
		return mayApprove
	case Operator:
		return path.Base(rt.path)
	case Reader, Signaler, "":
	}
	return mayRead
}

// within checks a caller's grants against what a route is about. A group that the
// caller may not see is answered like one that does not exist.
func (s *server) within(r *request, rt route) error {
	if strings.Contains(rt.path, "{group}") {
		name := r.PathValue("group")
		if s.Views != nil && !slices.Contains(s.Views.groupNames(), name) || !r.caller.Sees(name) {
			return noGroup(name)
		}
		return ungranted(r.caller, rt.action(), name)
	}
	if rt.ofDrill() {
		return s.withinDrill(r, rt)
	}
	if rt.role == Operator || rt.whole {
		return ungranted(r.caller, rt.action(), wholeEstate)
	}
	return nil
}

// withinDrill checks a caller's grants against the group of a drill.
func (s *server) withinDrill(r *request, rt route) error {
	if s.Calendar == nil || !r.caller.scope.limited || rt.role == Signaler {
		return nil
	}
	v, err := seenDrills{s.Calendar, r.caller}.Show(r.Context(), r.PathValue("drill"))
	if err != nil {
		return err
	}
	return ungranted(r.caller, rt.action(), v.Group)
}

// seenDrills is the calendar as a caller may see it. A drill of a group that is not
// seen is answered like one that does not exist.
type seenDrills struct {
	Drills
	by Caller
}

// List implements Drills.
func (d seenDrills) List(ctx context.Context) ([]drill.View, error) {
	all, err := d.Drills.List(ctx)
	return slices.DeleteFunc(all, func(v drill.View) bool { return !d.by.Sees(v.Group) }), err
}

// Show implements Drills.
func (d seenDrills) Show(ctx context.Context, name string) (drill.View, error) {
	v, err := d.Drills.Show(ctx, name)
	if err == nil && !d.by.Sees(v.Group) {
		return d.Drills.Show(ctx, "") // no drill has this name: the answer is that of an unknown one
	}
	return v, err
}

// ungranted refuses an action that no grant covers in a group that the caller sees.
func ungranted(c Caller, action, group string) error {
	if c.scope.allows(action, group) {
		return nil
	}
	p := problem{Status: http.StatusForbidden, Title: "Your grants do not allow this", Detail: "nothing in auth.grants lets you " + action + " here"}
	if group == wholeEstate {
		p.Detail = "this is about the whole estate: it needs a grant for every group (*)"
	}
	return &requestError{p}
}

// sees is what report narrows by: nil where nothing is hidden.
func (c Caller) sees() func(group string) bool {
	if c.SeesAll() {
		return nil
	}
	return c.Sees
}

// status leaves of a status what the caller may see.
func (c Caller) status(st report.Status) report.Status {
	st, _ = report.Narrow(st, record.Estate{}.Facts, c.sees())
	return st
}

// journal reads a page of a stream for a caller. What the caller may not read does
// not exist.
func (s *server) journal(ctx context.Context, v *Views, c Caller, stream string, before uint64, limit int) (Page, error) {
	if !report.SeesStream(v.engine.Topology, stream, c.sees()) {
		if stream == record.EstateKey {
			return Page{}, ungranted(c, mayRead, wholeEstate)
		}
		return Page{}, noStream()
	}
	page, err := v.Journal(ctx, stream, before, limit)
	page.Entries = report.NarrowEntries(page.Entries, c.sees())
	return page, err
}
