package failover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// detect saves what the signals say and returns the groups that they touch, sorted.
func (r *run) detect(ctx context.Context, signals []events.Signal) (Receipt, []string, error) {
	var receipt Receipt
	touched := map[string]bool{}
	about := map[string][]events.Signal{}
	var unknown []events.Signal
	for _, s := range signals {
		switch s.Kind {
		case events.Command:
			groups, err := r.accept(ctx, s)
			if err != nil {
				return receipt, nil, err
			}
			receipt.Orders++
			mark(touched, groups)
		case events.Write:
			groups, err := r.written(ctx, s)
			if err != nil {
				return receipt, nil, err
			}
			if len(groups) == 0 {
				unknown = append(unknown, s)
				continue
			}
			receipt.Applied++
			mark(touched, groups)
		case events.Health, events.Maintenance:
			names := r.speaksOf(s)
			if len(names) == 0 {
				unknown = append(unknown, s)
				continue
			}
			for _, name := range names {
				about[name] = append(about[name], s)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(about)) {
		tally, err := r.observe(ctx, name, about[name])
		if err != nil {
			return receipt, nil, err
		}
		receipt.Applied += tally.Applied
		receipt.Repeated += tally.Repeated + tally.Late
		receipt.SetAside += tally.Tentative
		receipt.Refused += tally.Future + tally.Full + tally.Foreign
		mark(touched, r.estate.Facts.GroupsOf(name))
	}
	receipt.Unknown = len(unknown)
	if err := r.countUnknown(ctx, unknown); err != nil {
		return receipt, nil, err
	}
	return receipt, slices.Sorted(maps.Keys(touched)), nil
}

func mark(set map[string]bool, names []string) {
	for _, n := range names {
		set[n] = true
	}
}

// speaksOf returns the circuits that a health or maintenance signal is about. Azure
// announces maintenance to a subscription and a region and names no circuit: it is
// about every circuit there.
func (r *run) speaksOf(s events.Signal) []string {
	names := circuitsFor(&r.estate.Facts, s)
	if len(names) > 0 || s.Kind != events.Maintenance || s.Window == nil {
		return names
	}
	id, err := events.ParseResourceID(s.Resource)
	if err != nil || id.Provider != "" || id.Subscription == "" {
		return nil
	}
	for _, c := range r.estate.Facts.Circuits {
		own, err := events.ParseResourceID(c.ID)
		if err == nil && own.Subscription == id.Subscription && inRegion(s.Window.Region, c.Region) {
			names = append(names, c.Name)
		}
	}
	return names
}

// inRegion reports whether an announcement for regions, as people write them ("East
// US 2; West US", "Global", ""), is about a region as resources write it.
func inRegion(announced, region string) bool {
	for _, part := range strings.FieldsFunc(announced, func(c rune) bool { return c == ';' || c == ',' }) {
		part = strings.ToLower(strings.ReplaceAll(part, " ", ""))
		if part == "global" || part == strings.ToLower(region) {
			return true
		}
	}
	return strings.TrimSpace(announced) == ""
}

// observe folds signals into one circuit's memory and into each group's belief
// about it, and saves both. Nothing is saved when nothing is new.
func (r *run) observe(ctx context.Context, name string, signals []events.Signal) (health.Tally, error) {
	key, stream := record.CircuitKey(name), "circuit."+name
	for range casAttempts {
		doc := record.Circuit{Schema: record.Schema, Memory: health.Memory{Circuit: name}}
		etag, err := r.load(ctx, key, &doc)
		if err != nil {
			return health.Tally{}, err
		}
		if etag, err = r.flush(ctx, key, etag, stream, &doc, &doc.Trail); conflict(err) {
			continue
		} else if err != nil {
			return health.Tally{}, err
		}
		r.settled(stream, &doc.Trail)
		now := r.Clock.Now()
		next, tally := health.Observe(doc.Memory, signals, &r.estate.Facts, now)
		entries := notes(&doc, next, name, signals, now)
		next, changes := r.step(next, now)
		entries = append(entries, changes...)
		if tally.Applied == 0 && len(entries) == 0 && next.LastBad.Equal(doc.Memory.LastBad) && maps.Equal(next.Tracks, doc.Memory.Tracks) {
			return tally, nil
		}
		doc.Memory = next
		if tally.Applied > 0 {
			doc.Trace = r.Trace.Carry(ctx)
		}
		doc.Add(stream, entries...)
		_, err = r.save(ctx, key, etag, stream, &doc, &doc.Trail)
		if conflict(err) {
			continue
		}
		return tally, err
	}
	return health.Tally{}, contended(key)
}

func contended(key string) error {
	return &fault.Error{Op: "save", Target: key, Kind: fault.Unavailable, Hint: "many instances write the same document; deliver again", Err: fault.Conflict}
}

// step advances every group's belief about a circuit to now.
func (r *run) step(m health.Memory, now time.Time) (health.Memory, []record.Entry) {
	var entries []record.Entry
	now = now.UTC().Round(0) // as it will be read back: tracks are compared
	tracks := maps.Clone(m.Tracks)
	if tracks == nil {
		tracks = map[string]health.Track{}
	}
	for _, group := range r.estate.Facts.GroupsOf(m.Circuit) {
		track, changes := health.Step(tracks[group], m, group, r.Rules[group].Health, now)
		tracks[group] = track
		for _, c := range changes {
			entries = append(entries, record.Entry{At: c.At, Code: CodeState, Group: group, Circuit: m.Circuit,
				Text:   m.Circuit + ": " + string(c.From) + " to " + string(c.To) + ", " + c.Why,
				Fields: map[string]string{"from": string(c.From), "to": string(c.To)}})
		}
	}
	m.Tracks = tracks
	return m, entries
}

// notes journals what is worth reading later: news that changed what a source says,
// and every sort of news that moves nothing by itself. A minute's metric that says
// "still good" is not written down. What changes no memory is written down once:
// the document remembers the newest of its IDs.
func notes(doc *record.Circuit, after health.Memory, name string, signals []events.Signal, now time.Time) []record.Entry {
	var out []record.Entry
	seen := map[string]bool{}
	for _, s := range signals {
		if seen[s.ID] || !news(doc, after, s, now) {
			continue
		}
		seen[s.ID] = true
		if s.Kind == events.Health && !setAside(s, now) {
			claim := fmt.Sprint(s.Observer, s.Source, s.Resource, s.Link, s.Peering, s.State, s.UserAction)
			if seen[claim] {
				continue // said twice in one batch it is one piece of news
			}
			seen[claim] = true
		}
		if setAside(s, now) {
			doc.Noted = append(doc.Noted, s.ID)
			doc.Noted = doc.Noted[max(0, len(doc.Noted)-keptNoted):]
		}
		reason := policy.SignalReason(s)
		fields := map[string]string{"observer": string(s.Observer), "state": string(s.State), "signal": s.ID, "at": s.At.UTC().Format(time.RFC3339Nano)}
		if s.Source != "" {
			fields["source"] = s.Source
		}
		if s.Link != "" {
			fields["link"] = string(s.Link)
		}
		if s.Peering != "" {
			fields["peering"] = string(s.Peering)
		}
		out = append(out, record.Entry{At: now, Code: CodeSignal, Circuit: name, Reasons: []string{string(reason)},
			Text: string(s.Observer) + " about " + name + " at " + s.At.UTC().Format(time.RFC3339) + ": " + sentence(reason), Fields: fields})
	}
	return out
}

// keptNoted is how many IDs of signals that changed nothing a document remembers.
const keptNoted = 64

// setAside reports whether a signal changes no memory by its nature.
func setAside(s events.Signal, now time.Time) bool {
	return (s.Tentative && s.State != events.Down && s.State != events.Degraded) || s.At.After(now.Add(health.Ahead))
}

// news reports whether a signal changed what its source says, or is worth a line
// although it changes nothing.
func news(doc *record.Circuit, after health.Memory, s events.Signal, now time.Time) bool {
	before := doc.Memory
	switch {
	case setAside(s, now):
		return !slices.Contains(doc.Noted, s.ID)
	case s.Kind == events.Maintenance:
		return !slices.Equal(before.Maintenance, after.Maintenance)
	case s.State == events.Unknown:
		return false
	}
	was, known := said(before, s)
	if !known {
		return s.State != events.Up
	}
	return was.State != s.State && !s.At.Before(was.At)
}

// said returns what a signal's source said last.
func said(m health.Memory, s events.Signal) (health.Evidence, bool) {
	for _, e := range m.Evidence {
		if e.Observer == s.Observer && e.Source == s.Source && e.Link == s.Link && e.Peering == s.Peering {
			return e, true
		}
	}
	return health.Evidence{}, false
}

// sentence says what a signal's reason means, for the journal.
func sentence(r policy.Reason) string {
	switch r {
	case policy.OtherPeering:
		return "another peering than the private one; it moves no private traffic"
	case policy.UpdateOnly:
		return "an update record; it clears nothing by itself"
	case policy.Recovered:
		return "good again"
	case policy.InMaintenance:
		return "planned maintenance"
	case policy.UserInitiated:
		return "caused by the customer"
	case policy.OneLink:
		return "one link is bad; the circuit has two"
	case policy.ForeignWrite:
		return "somebody wrote it"
	}
	return "bad"
}

// countUnknown counts and journals signals about resources that are not configured,
// so that none disappears silently.
func (r *run) countUnknown(ctx context.Context, signals []events.Signal) error {
	if len(signals) == 0 {
		return nil
	}
	return r.changeEstate(ctx, func(now time.Time) bool {
		r.estate.Unknown += int64(len(signals))
		targets := map[string]int{}
		for _, s := range signals {
			targets[s.Resource]++
		}
		for i, id := range slices.Sorted(maps.Keys(targets)) {
			if i == 20 {
				break // the count above has them all
			}
			r.estate.Add(record.EstateKey, record.Entry{At: now, Code: CodeUnknown, Reasons: []string{string(policy.UnknownTarget)},
				Text: "a signal about a resource that is not configured", Fields: map[string]string{"resource": id}})
		}
		return true
	})
}

// changeEstate changes the estate document by compare-and-swap. change works on
// r.estate and says whether there is anything to save; it may run several times.
func (r *run) changeEstate(ctx context.Context, change func(now time.Time) bool) error {
	for range casAttempts {
		r.settled(record.EstateKey, &r.estate.Trail)
		if !change(r.Clock.Now()) {
			return nil
		}
		etag, err := r.save(ctx, record.EstateKey, r.etag, record.EstateKey, &r.estate, &r.estate.Trail)
		if !conflict(err) {
			if err == nil {
				r.etag = etag
			}
			return err
		}
		facts := r.estate.Facts
		r.estate = record.Estate{Schema: record.Schema}
		if r.etag, err = r.load(ctx, record.EstateKey, &r.estate); err != nil {
			return err
		}
		if r.etag, err = r.flush(ctx, record.EstateKey, r.etag, record.EstateKey, &r.estate, &r.estate.Trail); err != nil {
			return err
		}
		if r.estate.At.IsZero() {
			r.estate.Facts = facts
		}
	}
	return contended(record.EstateKey)
}

// written notes that somebody wrote a resource that we steer: its group's weights
// are read again before anything is decided. Whether it was our own write reported
// back is told by that read, not by this signal.
func (r *run) written(ctx context.Context, s events.Signal) ([]string, error) {
	var touched []string
	for _, g := range r.estate.Facts.Groups {
		for _, c := range r.estate.Facts.ConnectionsOf(g) {
			if c.ID != s.Resource {
				continue
			}
			touched = append(touched, g.Name)
			err := r.change(ctx, g.Name, func(doc *record.Group, now time.Time) bool {
				doc.ReadAt = time.Time{}
				doc.Add(stream(g.Name), record.Entry{At: now, Code: CodeSignal, Group: g.Name, Actor: s.Actor,
					Reasons: []string{string(policy.ForeignWrite)}, Text: "a write of " + short(c.ID) + " was reported; its weight is read again",
					Fields: map[string]string{"connection": c.ID, "signal": s.ID}})
				return true
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return touched, nil
}
