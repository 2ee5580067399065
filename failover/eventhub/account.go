package eventhub

import (
	"context"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Account says what became of events. Each event is counted once in Events and once
// in Taken, Foreign or Broken; each signal of a taken event once in Signals and, for
// each circuit that it speaks about, once below that.
type Account struct {
	Events  int64 `json:"events"`  // received
	Taken   int64 `json:"taken"`   // gave signals
	Foreign int64 `json:"foreign"` // about nothing of ours
	Broken  int64 `json:"broken"`  // kept as dead letters

	Signals  int64 `json:"signals"`
	Applied  int64 `json:"applied"`            // changed what is remembered
	Repeated int64 `json:"repeated"`           // known already, or older than what is known
	SetAside int64 `json:"set_aside,omitzero"` // an update that betters nothing by itself
	Refused  int64 `json:"refused,omitzero"`   // no event time, or one too far in the future
	Unknown  int64 `json:"unknown,omitzero"`   // about resources that are not configured
}

// Add returns the sum of two accounts.
func (a Account) Add(b Account) Account {
	a.Events, a.Taken, a.Foreign, a.Broken = a.Events+b.Events, a.Taken+b.Taken, a.Foreign+b.Foreign, a.Broken+b.Broken
	a.Signals, a.Applied, a.Repeated = a.Signals+b.Signals, a.Applied+b.Applied, a.Repeated+b.Repeated
	a.SetAside, a.Refused, a.Unknown = a.SetAside+b.SetAside, a.Refused+b.Refused, a.Unknown+b.Unknown
	return a
}

// Progress is how far one partition has come, and what became of its events.
type Progress struct {
	Hub       string    `json:"hub"`
	Partition string    `json:"partition"`
	First     int64     `json:"first"` // sequence number of the first event that was ever taken
	Last      int64     `json:"last"`  // of the last one that was checkpointed
	Skipped   int64     `json:"skipped,omitzero"`
	At        time.Time `json:"at"`
	Account   Account   `json:"account"`
}

// Balanced reports whether every event between First and Last is accounted for.
func (p Progress) Balanced() bool {
	a := p.Account
	return a.Events+p.Skipped == p.Last-p.First+1 && a.Taken+a.Foreign+a.Broken == a.Events
}

// Progresses reads the progress of every partition of every hub and consumer group
// in a record, by key.
func Progresses(ctx context.Context, s record.Store) ([]Progress, error) {
	var out []Progress
	after := ""
	for {
		keys, err := s.List(ctx, "eventhub/", after, listPage)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			after = k
			if !strings.Contains(k, "/at-") {
				continue
			}
			doc, err := s.Load(ctx, k)
			if err != nil {
				return nil, err
			}
			var p place
			if err := json.Unmarshal(doc.Body, &p); err != nil {
				return nil, &fault.Error{Op: "read checkpoint", Target: k, Kind: fault.Corrupt, Err: err}
			}
			if p.Sequence == nil || p.First == nil {
				continue // of an older version, which did not count
			}
			out = append(out, Progress{Hub: p.Hub, Partition: p.Partition, First: *p.First, Last: *p.Sequence, Skipped: p.Skipped, At: p.At, Account: p.Account})
		}
		if len(keys) < listPage {
			return out, nil
		}
	}
}

// batch is what one delivery adds to its partition's account. It rides in the
// context of the checkpoint, so that both are saved as one.
type batch struct {
	first   int64
	account Account
}

type batchKey struct{}

// count folds a batch into a partition's document. Of two instances that believe they
// own a partition, the one that comes second finds that its batch does not follow on,
// and saves nothing: its events are another's to count.
func (p place) count(old *place, b batch) (place, bool) {
	p.First, p.Account = &b.first, b.account
	if old == nil || old.Sequence == nil {
		return p, true
	}
	gap := b.first - *old.Sequence - 1
	if gap < 0 {
		return p, false
	}
	p.Skipped, p.Account = old.Skipped, old.Account.Add(b.account)
	if old.First != nil {
		p.First = old.First
		p.Skipped += gap // the hub had forgotten them
	}
	return p, true
}
