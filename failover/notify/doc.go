// Package notify tells people and other systems what the journal says.
//
//	journal ──▶ meaning ──▶ fold ──▶ Channel ──▶ cursor
//	entries     notices     messages  sent        saved by compare-and-swap
//
// The hash-chained journal is the outbox: there is no second list that could
// disagree with it. Each channel has a cursor in the record, which says how far the
// channel has been told. It is moved after the other side has taken a message, so a
// crash repeats messages and loses none. A channel that is dead holds up nobody but
// itself: its cursor stays, and it is tried again later.
//
//	message.go    what a message holds
//	voice.go      links and requests
//	meaning.go    what each kind of journal entry means, and to whom
//	fold.go       many entries to a handful of messages
//	cursor.go     how far a channel has been told
//	outbox.go     reading the journal
//	notifier.go   one pass over all channels
//	guard.go      the HTTP client that refuses inner addresses
//	web.go        sending over it
//	teams.go, slack.go, pagerduty.go, cloudevent.go, hub.go    one channel each
package notify
