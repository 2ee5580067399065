package sim

import (
	"net/http"
	"slices"
	"strings"
)

// Grant is a set of actions at a scope, as a role assignment gives it. Wildcards are
// Azure's: * stands for any run of characters.
type Grant struct {
	Scope               string // "/subscriptions/..."; it holds below, too
	Actions, NotActions []string
}

// SetGrants sets what the identity may do, as the permissions of a scope tell it. The
// face does not hold requests against it. Before the first call everything is granted
// everywhere.
func (a *ARM) SetGrants(grants ...Grant) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants = append([]Grant{}, grants...)
}

// rightsSuffix ends the path of a scope's permissions.
const rightsSuffix = "/providers/microsoft.authorization/permissions"

// tenant answers for what is no network resource: subscriptions, the list of
// resources, and permissions.
func (a *ARM) tenant(c *call) reply {
	segs := strings.FieldsFunc(strings.ToLower(c.URL.Path), func(r rune) bool { return r == '/' })
	scope, rights := strings.CutSuffix(strings.ToLower(strings.TrimRight(c.URL.Path, "/")), rightsSuffix)
	switch {
	case c.Method != http.MethodGet:
	case rights:
		return a.permissions(c, scope)
	case len(segs) == 1 && segs[0] == "subscriptions":
		return a.page(c, a.fabric.subscriptions())
	case len(segs) == 3 && segs[0] == "subscriptions" && segs[2] == "resources":
		return a.page(c, a.fabric.resources(segs[1], c.URL.Query().Get("$filter")))
	}
	return refuse(&Refusal{Status: 404, Code: "InvalidResourceType", Message: "The resource type could not be found."})
}

// permissions tells what is granted at a scope and above it.
func (a *ARM) permissions(c *call, scope string) reply {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := []body{}
	if a.grants == nil {
		out = append(out, object("actions", []string{"*"}, "notActions", []string{}, "dataActions", []string{}, "notDataActions", []string{}))
	}
	for _, g := range a.grants {
		if at := key(g.Scope); scope != at && !strings.HasPrefix(scope, strings.TrimRight(at, "/")+"/") {
			continue
		}
		out = append(out, object("actions", append([]string{}, g.Actions...), "notActions", append([]string{}, g.NotActions...), "dataActions", []string{}, "notDataActions", []string{}))
	}
	return ok(object("value", out).raw())
}

// subscriptions returns the subscriptions that resources of the estate stand in.
func (f *Fabric) subscriptions() []body {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for _, id := range f.ids() {
		if sub := locate(id).subscription; !slices.Contains(ids, sub) {
			ids = append(ids, sub)
		}
	}
	slices.Sort(ids)
	var out []body
	for _, id := range ids {
		out = append(out, object("id", "/subscriptions/"+id, "subscriptionId", id, "displayName", "network "+id[max(0, len(id)-4):], "state", "Enabled"))
	}
	return out
}

// ids returns the ID of everything, in the spelling that answers show. It is called
// under the lock.
func (f *Fabric) ids() []string {
	var out []string
	for _, id := range f.order.circuits {
		out = append(out, f.circuits[id].ID)
	}
	for _, id := range f.order.gateways {
		out = append(out, f.gateways[id].ID)
	}
	for _, k := range f.of("") {
		out = append(out, k.id)
	}
	return out
}

// resources lists what a subscription has of the types that a filter names. Entries
// tell no properties, as in Azure. Children are no entries.
func (f *Fabric) resources(subscription, filter string) []body {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []body
	for _, id := range f.ids() {
		t := locate(id)
		wanted := filter == "" || strings.Contains(strings.ToLower(filter), "resourcetype eq 'microsoft.network/"+t.types+"'")
		if t.subscription == subscription && wanted && !strings.Contains(t.types, "/") {
			out = append(out, object("id", id, "name", lastName(id), "type", "Microsoft.Network/"+t.types))
		}
	}
	return out
}
