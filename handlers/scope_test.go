package handlers

import (
	"slices"
	"strings"
	"testing"

	"erfailover/events"
	"erfailover/failover/policy"
)

// TestGrants asks every operation of the document as callers whose grants cover
// another group, this group, or only a part of what their roles would allow. It is
// generated from the document, so a new route cannot be forgotten.
func TestGrants(t *testing.T) {
	issuer := newTenant(t)
	everything := []string{"reader", "operator", "approver", "signaler", "Team East"}
	orders := []string{mayRead, mayOrder, mayApprove}
	for _, who := range []struct {
		name   string
		grants []Grant
		sees   bool
		may    []string // actions in the group
		whole  bool     // and in the estate as a whole
	}{
		{"another group's team", []Grant{{Who: []string{"*"}, May: orders, Groups: []string{"west"}}}, false, nil, false},
		{"nobody that is named", []Grant{{Who: []string{"role:team west", "group:" + ben, ben}, May: orders, Groups: []string{"east", "*"}}}, false, nil, false},
		{"this group's team, by role", []Grant{{Who: []string{"role:team east"}, May: orders, Groups: []string{"east"}}}, true, orders, false},
		{"one person, one verb", []Grant{{Who: []string{ana}, May: []string{"drill"}, Groups: []string{"east"}}}, true, []string{"drill"}, false},
		{"approves only", []Grant{{Who: []string{ana}, May: []string{mayApprove}, Groups: []string{"east"}}}, true, []string{mayApprove}, false},
		{"a reader of all", []Grant{{Who: []string{"*"}, May: []string{mayRead}, Groups: []string{"*"}}}, true, nil, true},
		{"everything", []Grant{{Who: []string{"*"}, May: orders, Groups: []string{"*"}}}, true, orders, true},
	} {
		t.Run(who.name, func(t *testing.T) {
			e := newEstate(t)
			e.rule.Policy.Mode = policy.Approve
			e.auth = issuer.auth()
			e.auth.Grants = who.grants
			h, eng := e.instance("a")
			e.healthy(eng)
			if _, err := eng.Handle(t.Context(), []events.Signal{{ID: "s-1", Kind: events.Command, Observer: events.Person, At: e.clock.Now(),
				Order: &events.Order{Verb: events.OrderFailover, Group: "east", By: "boss", Key: "k"}}}); err != nil {
				t.Fatal(err)
			}
			g, err := NewViews(eng).Group(t.Context(), "east")
			if err != nil || g.Operation == nil {
				t.Fatalf("no operation waits: %v", err)
			}
			token := "Authorization: Bearer " + issuer.token(at, ana, everything, nil)
			granted := func(action string) bool {
				return slices.Contains(who.may, action) || action != mayApprove && slices.Contains(who.may, mayOrder)
			}
			operations(t, func(method, path string, op object) {
				role, _ := op["x-role"].(string)
				if role == "" || Role(role) == Signaler {
					return
				}
				body := ""
				if method == "POST" {
					body = `{}` // unusable for some: that is told only to those who may order
				}
				target := strings.NewReplacer("{group}", "east", "{id}", g.Operation.ID, "{order}", "k", "{drill}", "monthly").Replace(path)
				before := e.store.Effects()
				w := ask(h, method, target, body, token)
				verb := target[strings.LastIndexByte(target, '/')+1:]
				want := 0 // let in
				switch {
				case strings.Contains(path, "{group}") && !who.sees:
					want = 404
					unknown := ask(h, method, strings.ReplaceAll(target, "east", "nowhere"), body, token)
					if unknown.Code != w.Code || unknown.Body.String() != w.Body.String() {
						t.Errorf("%s %s: a group of others got %s, an unknown one %s", method, path, w.Body, unknown.Body)
					}
				case strings.Contains(path, "{drill}") && !who.sees:
					want = 404
					if unknown := ask(h, method, strings.ReplaceAll(target, "monthly", "weekly"), body, token); unknown.Code != w.Code || unknown.Body.String() != w.Body.String() {
						t.Errorf("%s %s: a drill of others got %s, an unknown one %s", method, path, w.Body, unknown.Body)
					}
				case strings.Contains(path, "{drill}"):
					if role == "operator" && !granted(mayDrill) {
						want = 403
					}
				case strings.Contains(path, "{id}") && !who.sees:
					want = 404
					if unknown := ask(h, method, strings.ReplaceAll(target, g.Operation.ID, "op-nowhere"), body, token); unknown.Body.String() != w.Body.String() {
						t.Errorf("%s %s: an operation of others got %s, an unknown one %s", method, path, w.Body, unknown.Body)
					}
				case role == "operator" && strings.Contains(path, "{group}") && !granted(verb), role == "approver" && !granted(mayApprove):
					want = 403
				case role == "operator" && !strings.Contains(path, "{group}") && !(who.whole && granted(verb)):
					want = 403
				case (strings.HasSuffix(path, "/metrics") || strings.HasSuffix(path, "/journal")) && !who.whole:
					want = 403
				}
				if want != 0 && w.Code != want || want == 0 && (w.Code == 401 || w.Code == 403 || w.Code == 404 || w.Code >= 500) {
					t.Errorf("%s %s: got %d %s, want %d (0: let in)", method, path, w.Code, w.Body, want)
				}
				if text := w.Body.String(); !who.sees && !strings.HasSuffix(path, "/openapi.json") && (strings.Contains(text, "ashburn") || strings.Contains(text, "east") || strings.Contains(text, g.Operation.ID)) {
					t.Errorf("%s %s: the reply tells of a group that is not shown: %s", method, path, text)
				}
				if want != 0 && e.store.Effects() != before {
					t.Errorf("%s %s: something was saved for a caller who was refused", method, path)
				}
			})
			for stream, open := range map[string]bool{"group.east": who.sees, "circuit.ashburn": who.sees} {
				if w := ask(h, "GET", "/api/v1/journal?stream="+stream, "", token); (w.Code == 200) != open || !open && w.Code != 404 {
					t.Errorf("journal of %s: got %d", stream, w.Code)
				}
			}
			if w := ask(h, "GET", "/api/v1/operations?group=east", "", token); (w.Code == 200) != who.sees || !who.sees && w.Code != 404 {
				t.Errorf("operations of east: got %d", w.Code)
			}
		})
	}
}

// TestGrantsKnowEveryVerb: the configuration's list of actions has every order.
func TestGrantsKnowEveryVerb(t *testing.T) {
	b := newBench(t)
	s := &server{Options: b.options}
	got := strings.Join(verbsOf(s.routes()), " ")
	if want := "acknowledge cancel drill evacuate failback failover kill pause resume switchover unkill"; got != want {
		t.Errorf("orders are %s; the configuration (failover/config grantActions and its schema) knows %s", got, want)
	}
}

// verbsOf lists the verbs of orders that a grant may name.
func verbsOf(rs []route) []string {
	var out []string
	for _, rt := range rs {
		if v := rt.action(); rt.role == Operator && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}
