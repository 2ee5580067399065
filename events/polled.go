package events

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// What is asked of Azure instead of waiting to be told. It becomes the same signals
// as the same news that was sent: one observer, and one fact by its own time.

// Sample is one step of a metric's series, as Azure Monitor answers for it.
type Sample struct {
	Resource string
	Metric   string
	Labels   map[string]string // dimensions and their values, names in any case
	At       time.Time         // when the step began
	Value    float64           // average of the step
}

// Signals turns the steps of one series, in order of time, into what they claim now
// and since when without a break: the first step of the newest run of equal claims, and
// the newest. A metric that claims nothing gives none.
func Signals(series []Sample) ([]Signal, error) {
	if len(series) == 0 {
		return nil, nil
	}
	p := newParser(time.Time{}, Limits{}.withDefaults())
	var run []Signal
	for _, s := range series {
		sig, err := p.sample(s)
		if err != nil {
			return nil, err
		}
		if len(run) > 0 && (run[0].State != sig.State || run[0].Tentative != sig.Tentative) {
			run = run[:0]
		}
		run = append(run[:min(len(run), 1)], sig)
	}
	if run[0].State == Unknown {
		return nil, nil
	}
	return run, nil
}

// sample judges one step as an exported record of that minute is judged.
func (p *parser) sample(s Sample) (Signal, error) {
	t := p.resolve("resource", s.Resource)
	if t.err != nil {
		return Signal{}, t.err
	}
	m := measure{metric: s.Metric, link: t.link, peering: t.peering, split: len(s.Labels) > 0}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		m.dimension(name, s.Labels[name])
	}
	named, told := p.metricOf(s.Metric), span{average: &s.Value}
	if err := told.check(&t, named.kind); err != nil {
		return Signal{}, err
	}
	var out Signal
	p.spanSignal(&out, &t, &m, named, told, "PT1M", s.At.UTC())
	return out, nil
}

// Standing is what Resource Health says of a resource when it is asked.
type Standing struct {
	Resource string
	State    string    // Available, Unavailable, Degraded, Unknown, or what may come; "" is nothing said
	Reason   string    // "Planned", "Unplanned", "User Initiated" and others: text, no list is published
	Cause    string    // PlatformInitiated, UserInitiated
	Context  string    // "Platform Initiated", "Customer Initiated"
	Text     string    // for people
	Occurred time.Time // since when it is so
	Reported time.Time // when it was last looked at; zero is not told
}

// StillSource names the claims that something has stood for long. They are told apart
// from the news of the change, so that no look can overtake news of a change that
// arrives late: Azure dates it back.
const StillSource = "ResourceHealth, asked"

// stillAfter is how old a change must be until a look says that it still stands.
const stillAfter = 10 * time.Minute

// Signals turns a standing into the news of the change, at the time at which the
// change happened, as the message of it would. A bad standing that is old and was
// looked at since also gives the news that it still stands; a better one takes that
// back. known is what Resource Health is known to have said of changes, still what
// looks have said, each of the zero value when nothing.
//
// An answer may be older than what was sent meanwhile: then its change is, too, and it
// overtakes nothing. Unknown is not healthy: it takes back a good word. It clears no bad
// one, because nothing says that the health has changed.
func (s Standing) Signals(known, still Signal) ([]Signal, error) {
	p := newParser(time.Time{}, Limits{}.withDefaults())
	t := p.resolve("resource", s.Resource)
	if t.err != nil {
		return nil, t.err
	}
	if s.Occurred.IsZero() {
		return nil, broken("occuredTime", "", "when the health changed last")
	}
	state, sound := healthState(s.State)
	if state == Unknown && known.isBad() {
		return nil, nil
	}
	change := Signal{Kind: Health, Observer: ResourceHealth, Source: "ResourceHealth", Resource: t.id, Link: t.link, Peering: t.peering,
		Plane: ControlPlane, State: state, At: s.Occurred.UTC(), UserAction: state != Up && s.byCustomer()}
	odd := ""
	if !sound {
		odd = "health " + clean(s.State, maxShown) + " is not known"
	}
	change.Detail = join(maxDetail, "; ", odd, s.Reason, s.Text)
	same := known.State == state && known.UserAction == change.UserAction
	var all []Signal
	if !same || !known.At.Equal(change.At) {
		all = append(all, change)
	}
	again := change
	again.Source, again.At = StillSource, s.Reported.UTC()
	past := !same && known.At.After(change.At)
	switch {
	case change.isBad() && !past && again.At.Sub(change.At) >= stillAfter:
		all = append(all, again)
	case still.isBad() && again.At.After(still.At):
		again.State, again.UserAction, again.Detail = Unknown, false, ""
		all = append(all, again)
	}
	for i := range all {
		p.identify(&all[i], "resource-health-asked", all[i].Source)
	}
	return all, nil
}

// isBad tells whether a signal claims that something is wrong.
func (s Signal) isBad() bool { return s.State == Down || s.State == Degraded }

// byCustomer tells whether the customer's own act explains the standing.
func (s Standing) byCustomer() bool {
	for _, word := range [...]string{s.Reason, s.Cause, s.Context} {
		switch squeeze(word) {
		case "userinitiated", "customerinitiated":
			return true
		}
	}
	return false
}

// Announced is planned work as Service Health tells it when it is asked.
type Announced struct {
	Tracking string
	Status   string   // Active, Resolved
	Services []string // names of services; none is taken as ours
	Regions  []string // where
	Title    string
	Start    time.Time
	End      time.Time
	Updated  time.Time
	On       string // resource ID of the circuit that it is about, or of the subscription when none is named
}

// Signal turns an announcement into the same signal as the one that is sent; none when
// it is about others' services.
func (a Announced) Signal() (Signal, bool, error) {
	if !ourServices(a.Services) {
		return Signal{}, false, nil
	}
	p := newParser(time.Time{}, Limits{}.withDefaults())
	t := p.resolve("resource", a.On)
	if t.err != nil {
		return Signal{}, false, t.err
	}
	if a.Updated.IsZero() {
		return Signal{}, false, broken("lastUpdateTime", "", "when the announcement was last changed")
	}
	w := Window{Start: a.Start.UTC(), End: a.End.UTC(), Region: clean(strings.Join(a.Regions, "; "), maxShortKey)}
	if err := w.close(squeeze(a.Status) == "resolved", false, a.Updated.UTC(), "impactStartTime", "impactMitigationTime"); err != nil {
		return Signal{}, false, err
	}
	s := Signal{Kind: Maintenance, Observer: ServiceHealth, Source: "ServiceHealth", Resource: t.id, At: a.Updated.UTC(),
		Correlation: clean(a.Tracking, maxShortKey), Detail: join(maxDetail, "; ", a.Status, a.Title), Window: &w}
	p.identify(&s, "service-health-asked", lower(a.Tracking), squeeze(a.Status))
	return s, true, nil
}
