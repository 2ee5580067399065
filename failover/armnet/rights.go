package armnet

import (
	"context"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"erfailover/events"
	"erfailover/failover/fault"
)

// permissionsVersion is the version of the list of permissions.
const permissionsVersion = "2022-04-01"

// Permission is one entry of what the identity holds at a scope.
type Permission struct {
	Actions, NotActions []string
}

// Holding is what the identity holds at one resource.
type Holding struct {
	ID          string
	Permissions []Permission
	Err         error // a fault.Error: why it is not known
}

// Rights reads what the identity holds at each resource, in the order asked, as Azure
// reckons it: with the roles that its scopes inherit.
func (c *Client) Rights(ctx context.Context, ids []string) []Holding {
	out := make([]Holding, len(ids))
	var g errgroup.Group
	g.SetLimit(abreast)
	for i, id := range ids {
		g.Go(func() error {
			out[i] = c.rights(ctx, id)
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	return out
}

func (c *Client) rights(ctx context.Context, id string) Holding {
	const op = "read permissions"
	out := Holding{ID: id}
	rid, err := events.ParseResourceID(id)
	if err != nil {
		out.Err = &fault.Error{Op: op, Target: clip(clean(id), 300), Kind: fault.Invalid, Err: err}
		return out
	}
	r, err := c.get(ctx, op, rid.String(), c.base.String()+rid.String()+"/providers/Microsoft.Authorization/permissions?api-version="+permissionsVersion)
	if err != nil {
		out.Err = err
		return out
	}
	var b struct {
		Value []struct {
			Actions    []string `json:"actions"`
			NotActions []string `json:"notActions"`
		} `json:"value"`
	}
	if err := json.Unmarshal(r.body, &b); err != nil {
		out.Err = unreadable(op, rid.String(), err)
		return out
	}
	for _, v := range b.Value {
		out.Permissions = append(out.Permissions, Permission{v.Actions, v.NotActions})
	}
	return out
}
