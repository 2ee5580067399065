package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/failover/shadow"
)

// Bounds of what one look at the past reads.
const (
	pastOperations = 400 // ended operations of the estate, newest first
	pastEntries    = 500 // newest entries of a group's stream
	pastNews       = 250 // newest entries of a circuit's stream
)

// pastRoutes are the reads that look back: what operations took, what decisions were
// worth, who raised the alarm.
func (s *server) pastRoutes() []route {
	group := []param{{in: "query", name: "group", about: "of this group only"}}
	return []route{
		{method: http.MethodGet, path: "/statistics", role: Reader, id: "statistics", about: "How long the stages of recoveries took, p50 and p95, by group, kind, provider and location, and by the age of the last good drill. It counts the newest 50 operations of each group, at most 400.",
			params: group, reply: map[int]any{200: report.Statistics{}}, do: s.getStatistics},
		{method: http.MethodGet, path: "/shadow", role: Reader, id: "shadow", about: "What past decisions were worth, graded by what the circuits then did, and what each guard has cost and spared. It looks at the newest 500 journal entries of each group.",
			params: group, reply: map[int]any{200: shadow.Report{}}, do: s.getShadow},
		{method: http.MethodGet, path: "/alarms", role: Reader, id: "alarms", about: "Which observer was first, late, wrong or silent in each confirmed incident. It looks at the newest 250 journal entries of each circuit.", params: group,
			reply: map[int]any{200: shadow.Quality{}}, do: s.getAlarms},
	}
}

// asked returns the groups that a caller asks about, of those that it sees.
func (v *Views) asked(r request) ([]string, error) {
	names := slices.DeleteFunc(v.groupNames(), func(g string) bool { return !r.caller.Sees(g) })
	only := r.URL.Query().Get("group")
	if only == "" {
		return names, nil
	}
	if !slices.Contains(names, only) {
		return nil, noGroup(only)
	}
	return []string{only}, nil
}

func (s *server) getStatistics(ctx context.Context, r request) (answer, error) {
	return lookBack(ctx, s, r, (*Views).Statistics)
}

func (s *server) getShadow(ctx context.Context, r request) (answer, error) {
	return lookBack(ctx, s, r, (*Views).Shadow)
}

func (s *server) getAlarms(ctx context.Context, r request) (answer, error) {
	return lookBack(ctx, s, r, (*Views).Alarms)
}

// lookBack answers with what was read of the groups that a request asks about.
func lookBack[T any](ctx context.Context, s *server, r request, read func(*Views, context.Context, []string) (T, error)) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	names, err := v.asked(r)
	if err != nil {
		return answer{}, err
	}
	return ok(read(v, ctx, names))
}

// Statistics adds up the newest operations of some groups.
func (v *Views) Statistics(ctx context.Context, names []string) (report.Statistics, error) {
	in, err := v.input(ctx, names)
	if err != nil {
		return report.Statistics{}, err
	}
	ops, left, err := v.ended(ctx, in.Groups)
	st := report.MakeStatistics(ops, &in.Estate.Facts, in.Now)
	st.LeftOut = left
	return st, err
}

// Shadow grades the past decisions of some groups.
func (v *Views) Shadow(ctx context.Context, names []string) (shadow.Report, error) {
	in, err := v.input(ctx, names)
	if err != nil {
		return shadow.Report{}, err
	}
	out := shadow.Report{At: in.Now.UTC(), Groups: []shadow.Grades{}}
	ops, _, err := v.ended(ctx, in.Groups)
	if err != nil {
		return out, err
	}
	takes := report.MoveTakes(ops)
	news, err := v.news(ctx, in, names)
	if err != nil {
		return out, err
	}
	for _, name := range names {
		entries, err := v.newest(ctx, report.StreamOf(name), pastEntries)
		if err != nil {
			return out, err
		}
		rule := shadow.DefaultRule()
		if d, measured := takes[name]; measured {
			rule.Takes = d
		}
		_, measured := takes[name]
		g := shadow.Input{Group: name, Now: in.Now, Rule: rule, Entries: entries, Circuits: news}
		out.Groups = append(out.Groups, g.Grade(string(in.Policy[name].Mode), measured))
	}
	return out, nil
}

// Alarms judges the alarms about the circuits of some groups.
func (v *Views) Alarms(ctx context.Context, names []string) (shadow.Quality, error) {
	in, err := v.input(ctx, names)
	if err != nil {
		return shadow.Quality{}, err
	}
	news, err := v.news(ctx, in, names)
	if err != nil {
		return shadow.Quality{}, err
	}
	return shadow.Alarms(news, watchersOf(in, names)), nil
}

// watchersOf says who watches the circuits of some groups, by the evidence that is kept.
func watchersOf(in report.Input, names []string) shadow.Watch {
	watch := shadow.Watch{}
	for _, circuit := range circuitsOf(in, names) {
		watch[circuit] = nil
		for _, e := range in.Memories[circuit].Evidence {
			watch[circuit] = append(watch[circuit], string(e.Observer))
		}
	}
	return watch
}

// circuitsOf returns the circuits of some groups, each once.
func circuitsOf(in report.Input, names []string) []string {
	var out []string
	for _, g := range in.Estate.Facts.Groups {
		for _, c := range g.Circuits() {
			if slices.Contains(names, g.Name) && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// ended loads the newest ended operations of groups, and counts the older ones that are
// listed and were not loaded.
func (v *Views) ended(ctx context.Context, groups []record.Group) ([]report.Operation, int, error) {
	lines := report.Operations(groups)
	lines = slices.DeleteFunc(lines, func(l report.OperationLine) bool { return l.Status != record.Ended })
	left := max(len(lines)-pastOperations, 0)
	lines = lines[:min(len(lines), pastOperations)]
	found := make([]*report.Operation, len(lines))
	err := each(len(lines), func(i int) error {
		var doc struct {
			Schema    int              `json:"schema"`
			Operation record.Operation `json:"operation"`
		}
		kept, err := v.load(ctx, record.OperationKey(lines[i].ID), "operation", &doc)
		if err != nil || !kept { // of one that was cancelled while it waited only the summary is kept
			return err
		}
		op := report.MakeOperation(doc.Operation, v.engine.Rules[doc.Operation.Group].Policy.Objective)
		found[i] = &op
		return nil
	})
	var out []report.Operation
	for _, op := range found {
		if op != nil {
			out = append(out, *op)
		}
	}
	return out, left, err
}

// news returns the newest entries of the streams of the groups' circuits, stream by
// stream, of what these groups may know.
func (v *Views) news(ctx context.Context, in report.Input, names []string) ([]record.Entry, error) {
	circuits := circuitsOf(in, names)
	streams := make([][]record.Entry, len(circuits))
	for i, name := range circuits {
		var err error
		if streams[i], err = v.newest(ctx, "circuit."+name, pastNews); err != nil {
			return nil, err
		}
	}
	return report.NarrowEntries(slices.Concat(streams...), func(g string) bool { return slices.Contains(names, g) }), nil
}

// newest returns up to n newest entries of a stream, oldest first.
func (v *Views) newest(ctx context.Context, stream string, n int) ([]record.Entry, error) {
	head, err := v.head(ctx, stream)
	if err != nil {
		return nil, err
	}
	n = int(min(head, uint64(n)))
	found := make([]record.Entry, n)
	err = each(n, func(i int) error {
		e, err := v.entry(ctx, stream, head-uint64(n-1-i))
		if errors.Is(err, fault.NotFound) {
			return nil // saved with the document, not yet in the journal
		}
		found[i] = e
		return err
	})
	return slices.DeleteFunc(found, func(e record.Entry) bool { return e.Seq == 0 }), err
}

// loads returns what was measured of the circuits' load; nil for nothing yet.
func (v *Views) loads(ctx context.Context) (*report.Loads, error) {
	doc, err := v.engine.Store.Load(ctx, report.LoadKey)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var l report.Loads
	if json.Unmarshal(doc.Body, &l) != nil || l.Schema > record.Schema { // it is measured anew
		return nil, nil
	}
	return &l, nil
}

// score adds each group's score to its readiness.
func (v *Views) score(ctx context.Context, in report.Input, status report.Status, r *report.Readiness) error {
	var names []string
	for _, g := range r.Groups {
		names = append(names, g.Group)
	}
	ops, _, err := v.ended(ctx, in.Groups)
	if err != nil {
		return err
	}
	news, err := v.news(ctx, in, names)
	if err != nil {
		return err
	}
	loads, err := v.loads(ctx)
	if err != nil {
		return err
	}
	quality := shadow.Alarms(news, watchersOf(in, names))
	for i := range r.Groups {
		g := &r.Groups[i]
		topo, _ := in.Estate.Facts.Group(g.Group)
		k := slices.IndexFunc(status.Groups, func(s report.GroupStatus) bool { return s.Name == g.Group })
		own := slices.DeleteFunc(slices.Clone(ops), func(o report.Operation) bool { return o.Group != g.Group })
		score, deductions := report.Score(report.ScoreInput{Now: in.Now, Group: topo, Estate: &in.Estate.Facts, Status: status.Groups[k], Checks: g.Checks, Operations: own, Alarms: quality, Loads: loads})
		g.Score, g.Deductions, g.Headroom = &score, deductions, report.MakeHeadroom(topo, &in.Estate.Facts, loads, in.Now)
		if r.Score == nil || score < *r.Score {
			r.Score = &score
		}
	}
	return nil
}
