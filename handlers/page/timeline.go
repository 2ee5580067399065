package page

import (
	"context"
	"slices"
	"strings"
	"sync"

	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// Bounds of a timeline's sources.
const (
	maxStreams = 12 // journals merged into one timeline
	maxEach    = 30 // entries read of each
)

// timelines keeps the timelines of the newest status: while nothing changes, an
// open page reads no journal.
type timelines struct {
	mu   sync.Mutex
	mark string
	kept map[string][]entryView
}

// get returns what was kept for a status, if anything was.
func (c *timelines) get(mark, key string) ([]entryView, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, ok := c.kept[key]
	return list, ok && mark != "" && c.mark == mark
}

// put keeps a timeline; those of an older status go.
func (c *timelines) put(mark, key string, list []entryView) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mark == "" {
		return
	}
	if c.mark != mark || len(c.kept) > 100 {
		c.mark, c.kept = mark, map[string][]entryView{}
	}
	c.kept[key] = list
}

// asking is who asks for a timeline: the version of what is seen, and what may be.
type asking struct {
	mark   string
	sees   func(group string) bool // nil: everything
	estate topology.Estate
}

// timeline merges the newest entries of some journals. Entries about groups other
// than only are left out when it is set. A journal that cannot be read is told as
// an entry.
func (s *server) timeline(ctx context.Context, who asking, streams []string, only string, limit int) []entryView {
	key := only + "\x00" + strings.Join(streams, "\x00")
	if list, ok := s.lines.get(who.mark, key); ok && who.sees == nil {
		return list
	}
	var out []entryView
	whole := true
	for _, stream := range streams {
		if !report.SeesStream(who.estate, stream, who.sees) {
			continue
		}
		list, err := s.Journal(ctx, stream, 0, maxEach)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			whole = false
			out = append(out, entryView{At: s.Now(), Mark: "!", Class: "hold", Lead: label(stream), Text: "this journal cannot be read now"})
			continue
		}
		for _, e := range report.NarrowEntries(list, who.sees) {
			if !routine(e.Code) && (only == "" || e.Group == "" || e.Group == only) {
				out = append(out, newEntry(e))
			}
		}
	}
	slices.SortStableFunc(out, func(a, b entryView) int { return b.At.Compare(a.At) })
	out = merge(out)
	out = out[:min(len(out), limit)]
	if whole && who.sees == nil { // what one caller may see is not kept for the others
		s.lines.put(who.mark, key, out)
	}
	return out
}

// routine says whether entries of a code are too many for a timeline: the steps are
// in the operation, and all of it is in the journal.
func routine(code string) bool {
	switch code {
	case "step.ended", "baseline.captured", "read.asked", "intent.closed", "estate.discovered":
		return true
	}
	return false
}

// merge makes one entry of those that say the same about several groups.
func merge(list []entryView) []entryView {
	out := list[:0:0]
	for _, e := range list {
		i := slices.IndexFunc(out, func(o entryView) bool {
			return e.Circuit != "" && o.Circuit == e.Circuit && o.Text == e.Text && o.Code == e.Code && o.At.Equal(e.At)
		})
		if i < 0 {
			out = append(out, e)
		} else if !strings.Contains(out[i].Lead, e.Lead) {
			out[i].Lead += ", " + e.Lead
		}
	}
	return out
}

// streams returns the journals of the first screen: of the groups that are shown
// whole and of their circuits that are not well; of all groups in a small estate.
func (v *estateView) streams(look Look) []string {
	out := []string{"estate"}
	for _, g := range look.Status.Groups {
		if len(look.Status.Groups) <= 6 || slices.ContainsFunc(v.Cards, func(c groupView) bool { return c.Key == g.Name }) {
			out = append(out, streamsOf(g)...)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxStreams)]
}

// streamsOf returns the journals of a group and of its circuits that are not well,
// or were not a short while ago.
func streamsOf(g report.GroupStatus) []string {
	out := []string{"group." + g.Name}
	for _, b := range worstFirst(g.Circuits) {
		if len(out) < 4 && (b.State != health.Healthy && b.State != health.Unknown && b.State != "" || b.Penalty > 0) {
			out = append(out, "circuit."+b.Circuit)
		}
	}
	return out
}
