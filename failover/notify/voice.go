package notify

import (
	"fmt"
	"net/url"

	"erfailover/failover/record"
)

// Voice is what messages are worded with.
type Voice struct {
	Base string                   // "https://app.example": where the page and the API are; "" when it is not known
	Lift func(code string) string // what lifts a reason; nil says nothing
	// Cancel returns the address, under Base, at which a person calls off what an entry
	// announces; "" when it cannot be called off. The address is a proof by itself: it
	// goes to people, and into no log and no record. nil: there is none.
	Cancel func(e record.Entry) string
}

// link returns the page of a group.
func (v Voice) link(group string) string {
	if v.Base == "" {
		return ""
	}
	link := v.Base + "/api/"
	if group != "" {
		link += "?group=" + url.QueryEscape(group)
	}
	return link
}

// curl returns the approval as a request, for who has no command line tool of ours.
func (v Voice) curl(e record.Entry) string {
	return fmt.Sprintf(`curl -X POST -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d '{"operation":%q,"plan":%q}' %s/api/v1/groups/%s/approve`,
		words(e.Operation), words(e.Plan), v.Base, url.PathEscape(e.Group))
}

// id names the journal row of an entry.
func id(e record.Entry) string { return fmt.Sprintf("%s/%d", e.Stream, e.Seq) }
