package page

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// Bounds of the first screen. What is left out is counted and linked.
const (
	cards      = 3                // groups shown whole
	rows       = 40               // groups in one table
	told       = 3                // groups named in an answer
	staleAfter = 10 * time.Minute // weights are read at least every few minutes
)

// estateView is the first screen.
type estateView struct {
	Level    level
	Wrong    string   // is anything wrong
	What     []string // what it is
	Flows    []flowView
	Does     []doesView
	Groups   int
	Cards    []groupView
	Rows     []groupView
	Page     int
	Pages    int
	Query    string
	Found    int
	Picture  *picture
	Recent   []recentView
	Entries  []entryView
	Unknown  int64
	Found0   time.Time // of the newest discovery
	Circuits int
}

// flowView is one answer to where traffic flows.
type flowView struct {
	Text string
	Dead bool // over a circuit that is down
}

// doesView is one thing that the automation does or waits for.
type doesView struct {
	Group, Key, Text string
	Until            time.Time
	At               time.Time // of a move that is planned
	Asks             bool      // a person is waited for
}

// getEstate shows the first screen.
func (s *server) getEstate(w http.ResponseWriter, r *http.Request) {
	look, mark, sees, err := s.look(r)
	if err != nil {
		s.failed(w, r, "The state of the estate cannot be read", err)
		return
	}
	sc := s.newScreen(r, "estate", "")
	s.about(&sc, look)
	v := newEstate(look, sc.Now, r.URL.Query().Get("q"), r.URL.Query().Get("p"))
	v.Entries = s.timeline(r.Context(), asking{mark, sees, look.Estate}, v.streams(look), "", 14)
	if unchanged(w, r, look.Status.At, sumOf([]byte(mark), []byte(s.rev), []byte(r.URL.RawQuery), []byte(sc.Killed+sc.Old), []byte(newest(v.Entries)))) {
		return
	}
	if sc.Old != "" { // yesterday's good news is none
		v.What = append([]string{v.Wrong + ", by the last look"}, v.What...)
		v.Level, v.Wrong = min(v.Level, warn), "Not known: the data is old"
	} else if sc.Killed != "" && v.Level == calm {
		v.Level, v.Wrong = warn, "Look: the kill switch is set"
	}
	sc.Estate = v
	sc.Title = v.Level.Mark() + " " + v.Wrong
	sc.Poll = 15
	if v.Level != calm {
		sc.Poll = 5
	}
	s.send(w, http.StatusOK, sc)
}

// about fills what the status says about the estate as a whole.
func (s *server) about(sc *screen, look Look) {
	st := look.Status
	sc.At = st.At
	if st.Killed.Holds(sc.Now) {
		sc.Killed = "The kill switch was set by " + label(st.Killed.By) + " at " + clock(sc.Now, st.Killed.At)
		if st.Killed.Reason != "" {
			sc.Killed += ": " + prose(st.Killed.Reason)
		}
	}
	var newest time.Time
	for _, g := range st.Groups {
		if g.ReadAt.After(newest) {
			newest = g.ReadAt
		}
	}
	switch {
	case len(st.Groups) == 0:
	case newest.IsZero():
		sc.Old = "The weights have never been read. The automation has not run yet, or cannot reach Azure."
	case sc.Now.Sub(newest) > staleAfter:
		sc.Old = "The weights were last read at " + clock(sc.Now, newest) + ". The automation does not run, or cannot reach Azure."
	}
}

// newEstate makes the first screen from a look. query keeps only groups that have
// it in their name or in a circuit's; page is the page of the table, from 1.
func newEstate(look Look, now time.Time, query, page string) *estateView {
	st := look.Status
	v := &estateView{Groups: len(st.Groups), Query: record.Clean(query, maxLabel), Unknown: st.Unknown, Found0: st.Discovered, Circuits: len(look.Estate.Circuits), Level: calm}
	ordered := slices.Clone(st.Groups)
	levels := map[string]level{}
	for _, g := range ordered {
		levels[g.Name] = levelOf(g, now)
	}
	slices.SortStableFunc(ordered, func(a, b report.GroupStatus) int {
		return cmp.Or(cmp.Compare(levels[a.Name], levels[b.Name]), cmp.Compare(a.Name, b.Name))
	})
	v.answer(ordered, levels, now)
	if v.Query != "" {
		ordered = slices.DeleteFunc(ordered, func(g report.GroupStatus) bool { return !matches(g, v.Query) })
	}
	v.Found = len(ordered)
	v.Pages = max(1, (len(ordered)+rows-1)/rows)
	v.Page, _ = strconv.Atoi(page)
	v.Page = min(max(v.Page, 1), v.Pages)
	small := drawable(look.Estate)
	if v.Page == 1 && v.Query == "" {
		for _, g := range ordered {
			if levels[g.Name] == calm || len(v.Cards) == cards {
				break
			}
			card := newGroup(g, now, 6)
			if !small {
				card.Picture = drawGroup(look, g)
			}
			v.Cards = append(v.Cards, card)
		}
	}
	for _, g := range ordered[(v.Page-1)*rows : min(v.Page*rows, len(ordered))] {
		v.Rows = append(v.Rows, newGroup(g, now, 0))
	}
	if small && v.Query == "" && v.Page == 1 {
		v.Picture = drawEstate(look)
	}
	v.recent(st)
	return v
}

func matches(g report.GroupStatus, query string) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(query)) }
	if has(g.Name) {
		return true
	}
	for _, b := range g.Circuits {
		if has(b.Circuit) {
			return true
		}
	}
	return false
}

// answer answers the three questions. Groups come worst first.
func (v *estateView) answer(groups []report.GroupStatus, levels map[string]level, now time.Time) {
	var trouble, doubt []string
	var away []flowView
	var planned []doesView
	count := map[level]int{}
	home, unread := 0, 0
	for _, g := range groups {
		l := levels[g.Name]
		count[l]++
		switch l {
		case bad, busy:
			trouble = append(trouble, g.Name)
		case warn:
			doubt = append(doubt, g.Name)
		case calm:
		}
		if l != calm {
			v.what(g, now)
		}
		switch {
		case len(g.Active) == 0:
			unread++
		case g.AtHome && !onDead(g):
			home++
		default:
			away = append(away, flowView{label(g.Name) + ": " + carries(g), onDead(g)})
		}
		if text, until := doing(g, now); l != calm && text != idle || (g.Operation != nil && g.Operation.Status != record.Ended) {
			v.Does = append(v.Does, doesView{Group: label(g.Name), Key: linkable(g.Name), Text: text, Until: until, Asks: awaits(g)})
		}
		v.Level = min(v.Level, l)
		for _, o := range g.Scheduled {
			planned = append(planned, doesView{Group: label(g.Name), Key: linkable(g.Name), Text: "planned: " + newScheduled(o).What, At: o.NotBefore})
		}
	}
	switch {
	case len(groups) == 0:
		v.Level, v.Wrong = warn, "No group is configured"
	case v.Level == calm:
		v.Wrong = "No. All " + plural(len(groups), "group") + " are well"
		if len(groups) == 1 {
			v.Wrong = "No. The one group is well"
		}
	case v.Level == warn:
		v.Wrong = "Look: " + labels(doubt) + " (" + strconv.Itoa(len(doubt)) + " of " + plural(len(groups), "group") + ")"
	default:
		v.Wrong = "Yes: " + labels(trouble) + " (" + strconv.Itoa(len(trouble)) + " of " + plural(len(groups), "group") + ")"
		if len(doubt) > 0 {
			v.What = append([]string{"Look at " + labels(doubt) + " too"}, v.What...)
		}
	}
	v.flows(len(groups), home, unread, away)
	v.What = capped(v.What)
	if len(v.Does) > told {
		more := len(v.Does) - told
		v.Does = append(v.Does[:told:told], doesView{Text: plural(more, "more group") + " below"})
	}
	slices.SortStableFunc(planned, func(a, b doesView) int { return a.At.Compare(b.At) })
	v.Does = append(v.Does, planned[:min(len(planned), told)]...)
	if more := len(planned) - told; more > 0 {
		v.Does = append(v.Does, doesView{Text: plural(more, "more planned move")})
	}
}

// flows answers where traffic flows: how many groups are home, then those that are
// not, the dead first.
func (v *estateView) flows(groups, home, unread int, away []flowView) {
	if groups > 0 {
		v.Flows = append(v.Flows, flowView{Text: fmt.Sprintf("%d of %s over home", home, plural(groups, "group"))})
	}
	if unread > 0 {
		v.Flows = append(v.Flows, flowView{Text: plural(unread, "group") + " whose weights have not been read"})
	}
	dead := slices.DeleteFunc(slices.Clone(away), func(f flowView) bool { return !f.Dead })
	away = append(dead, slices.DeleteFunc(away, func(f flowView) bool { return f.Dead })...)
	if more := len(away) - told; more > 0 {
		away = append(away[:told:told], flowView{Text: fmt.Sprintf("and %d more below", more)})
	}
	v.Flows = append(v.Flows, away...)
}

// what adds what is wrong in a group; a circuit of several groups is told once.
func (v *estateView) what(g report.GroupStatus, now time.Time) {
	for _, b := range worstFirst(g.Circuits) {
		if b.State == health.Healthy || b.State == health.Unknown || b.State == "" {
			continue
		}
		if text := state(b, now); !slices.Contains(v.What, text) {
			v.What = append(v.What, text)
		}
	}
}

func capped(list []string) []string {
	if len(list) <= told {
		return list
	}
	return append(list[:told:told], fmt.Sprintf("and %d more below", len(list)-told))
}

// recent collects the newest operations of all groups.
func (v *estateView) recent(st report.Status) {
	for _, g := range st.Groups {
		for _, o := range g.Recent[:min(len(g.Recent), 8)] {
			if o.Kind != policy.KindSettle {
				v.Recent = append(v.Recent, newRecent(g.Name, o))
			}
		}
	}
	slices.SortStableFunc(v.Recent, func(a, b recentView) int { return b.Ended.Compare(a.Ended) })
	v.Recent = v.Recent[:min(len(v.Recent), 8)]
}

// getGroup shows one group.
func (s *server) getGroup(w http.ResponseWriter, r *http.Request) {
	look, mark, sees, err := s.look(r)
	if err != nil {
		s.failed(w, r, "The state of the estate cannot be read", err)
		return
	}
	g, ok := groupOf(look.Status, r.URL.Query().Get("group"))
	if !ok {
		s.problem(w, r, http.StatusNotFound, "There is no such group", "It may have been renamed in the configuration.")
		return
	}
	sc := s.newScreen(r, "group", "")
	s.about(&sc, look)
	v := newGroup(g, sc.Now, 100)
	v.Entries = s.timeline(r.Context(), asking{mark, sees, look.Estate}, streamsOf(g), g.Name, 25)
	if unchanged(w, r, look.Status.At, sumOf([]byte(mark), []byte(s.rev), []byte(r.URL.RawQuery), []byte(sc.Killed+sc.Old), []byte(newest(v.Entries)))) {
		return
	}
	v.Picture = drawGroup(look, g)
	sc.View, sc.Group, sc.Poll = &v, v.Name, 5
	sc.Title = v.Level.Mark() + " " + v.Name + ": " + v.Level.Says()
	s.send(w, http.StatusOK, sc)
}

func groupOf(st report.Status, name string) (report.GroupStatus, bool) {
	i := slices.IndexFunc(st.Groups, func(g report.GroupStatus) bool { return g.Name == name })
	if i < 0 {
		return report.GroupStatus{}, false
	}
	return st.Groups[i], true
}

// failed says that something could not be read, and what may help.
func (s *server) failed(w http.ResponseWriter, r *http.Request, title string, err error) {
	status := http.StatusServiceUnavailable
	switch fault.KindOf(err) {
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Invalid:
		status = http.StatusBadRequest
	case fault.Conflict, fault.Throttled, fault.Busy, fault.Denied, fault.Refused, fault.Unavailable, fault.Corrupt, fault.Internal:
	}
	detail := fault.HintOf(err)
	if detail == "" {
		detail = "Try again in a moment. The command line works on the same record."
	}
	s.problem(w, r, status, title, detail)
}

// drawable says whether the whole estate fits in one picture.
func drawable(e topology.Estate) bool {
	return len(e.Circuits) > 0 && len(e.Circuits) <= 12 && len(e.Gateways) <= 12 && len(e.Groups) > 0
}
