// Package page is the dashboard: one page at /api/ that an on-call engineer can
// use at night, on a phone, over a bad link.
//
//	/api/                       is anything wrong, where does traffic flow, what is the automation doing
//	/api/?group=NAME            one group: picture, health with its reasons, operation, timeline
//	/api/?operation=ID          one operation, step by step, with its ledger
//	/api/?journal=NAME          a group's journal, page by page
//	/api/?do=VERB&group=NAME    an order: first the plan, then the name of the group, then the order
//
// Everything is rendered here. The script only fetches the page again, counts down
// and says in large letters when the data is old; without it everything else works.
// Orders go through the API, in process, as anybody's orders do: the page has no
// right of its own.
//
// Text from events and names from Azure are hostile until shown otherwise: they
// are cleaned, clipped, and written as text by html/template.
package page
