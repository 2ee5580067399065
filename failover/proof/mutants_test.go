package proof

import (
	"time"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// mutant is one fault put into the protocol on purpose: a wrapper around a port, a
// setting, or a switch of the model. The zero value is the protocol as it is.
type mutant struct {
	name    string
	net     func(*world, executor.Network) executor.Network
	rule    func(failover.GroupRules) failover.GroupRules
	limit   func(policy.Limits) policy.Limits
	time    func(failover.Timing) failover.Timing
	load    func(*world, *record.Document)
	fail    func(record.Document, error) error
	store   func(*world, *record.Document) (string, bool)
	rows    func(*world, string, *[]record.Row) bool
	anytime bool                            // the deadline of a send is not looked at
	world   func(*world)                    // how its world differs: the corner where it shows
	late    func(*events.Signal, time.Time) // what a signal looks like when it is delivered
	twice   bool                            // and it is delivered beside the true one
	quick   bool                            // found within two seeds from 50000
	clobber bool                            // something else changes with the weight
}

func (m mutant) network(w *world, n executor.Network) executor.Network {
	if m.net == nil {
		return n
	}
	return m.net(w, n)
}

func (m mutant) rules(r map[string]failover.GroupRules) map[string]failover.GroupRules {
	if m.rule != nil {
		for k, v := range r {
			r[k] = m.rule(v)
		}
	}
	return r
}

func (m mutant) limits(l policy.Limits) policy.Limits {
	if m.limit == nil {
		return l
	}
	return m.limit(l)
}

func (m mutant) timing(t failover.Timing) failover.Timing {
	if m.time == nil {
		return t
	}
	return m.time(t)
}

func (m mutant) loaded(w *world, doc *record.Document) {
	if m.load != nil {
		m.load(w, doc)
	}
}

func (m mutant) saveFailed(doc record.Document, err error) error {
	if m.fail == nil {
		return err
	}
	return m.fail(doc, err)
}

func (m mutant) save(w *world, doc *record.Document) (string, bool) {
	if m.store == nil {
		return "", false
	}
	return m.store(w, doc)
}

func (m mutant) append(w *world, stream string, rows *[]record.Row) bool {
	return m.rows != nil && m.rows(w, stream, rows)
}

func (m mutant) ignoresDeadline() bool { return m.anytime }

// delivered returns a batch as a mutant hands it over.
func (m mutant) delivered(sigs []events.Signal, now time.Time) []events.Signal {
	if m.late == nil {
		return sigs
	}
	var out []events.Signal
	for _, s := range sigs {
		if m.twice {
			out = append(out, s)
		}
		if s.Kind != events.Command {
			m.late(&s, now)
			out = append(out, s)
		} else if !m.twice {
			out = append(out, s)
		}
	}
	return out
}

func (m mutant) rest(rest string) string {
	if m.clobber {
		return rest + "-changed"
	}
	return rest
}
