package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"time"

	"erfailover/failover/drill"
	"erfailover/failover/fault"
)

// DrillVerb is what a person, or a monitor, asks of a drill.
type DrillVerb string

const (
	DrillRun    DrillVerb = "run"    // begin one now, or after a notice
	DrillStop   DrillVerb = "stop"   // end the one that is on: what is away goes home
	DrillCancel DrillVerb = "cancel" // call the next one off
	DrillBlock  DrillVerb = "block"  // let none begin
	DrillClear  DrillVerb = "clear"  // take a block back
)

// Drills is the calendar of drills behind the API.
type Drills interface {
	List(ctx context.Context) ([]drill.View, error)
	Show(ctx context.Context, name string) (drill.View, error)
	Order(ctx context.Context, name string, verb DrillVerb, ask drill.Ask) (drill.View, error)
	Report(ctx context.Context, name, run string) (drill.Report, error)
}

// drillBody is what may be said with an order about a drill.
type drillBody struct {
	Reason     string    `json:"reason,omitzero"`     // why, in the person's words; at most 512 bytes
	Accelerate bool      `json:"accelerate,omitzero"` // run: no notice, and a hold of a minute at most; the report says so
	InMS       int64     `json:"in_ms,omitzero"`      // run: notice until the start
	Overrides  []string  `json:"overrides,omitempty"` // run: codes of the calendar's own checks to go past, by name
	Run        string    `json:"run,omitzero"`        // stop: the run meant; absent: the one that is on
	Start      time.Time `json:"start,omitzero"`      // cancel: the start meant; absent: the next one
	Until      time.Time `json:"until,omitzero"`      // block: when it ends by itself
}

// drillSignal is what a monitor says about a drill.
type drillSignal struct {
	Signal DrillVerb `json:"signal"`          // stop, block or clear
	Reason string    `json:"reason,omitzero"` // at most 512 bytes
	Until  time.Time `json:"until,omitzero"`  // block: when it ends by itself
}

// drillRoutes are about drills. A signaler may end a rehearsal, or keep one from
// beginning; it can move nothing by it.
func (s *server) drillRoutes() []route {
	key := param{in: "header", name: keyHeader, about: "1 to 128 printable ASCII characters; the same key with the same run is the same order"}
	who := param{in: "header", name: userHeader, about: "who orders; needed where a shared key opens the door"}
	out := []route{
		{method: http.MethodGet, path: "/drills", role: Reader, id: "listDrills", about: "Every drill of the configuration: when it is next, what it does now, how it ended last.", reply: map[int]any{200: list[drill.View]{}}, do: s.getDrills},
		{method: http.MethodGet, path: "/drills/{drill}", role: Reader, id: "drillOf", about: "One drill, with its run and its history.", reply: map[int]any{200: drill.View{}}, do: s.getDrill},
		{method: http.MethodGet, path: "/drills/{drill}/report", role: Reader, id: "drillReport", about: "The report of a run, with its evidence.", params: []param{
			{in: "query", name: "run", about: "the run; absent: the one that is on, else the newest"},
			{in: "query", name: "format", about: "json (the default), markdown or html"}}, reply: map[int]any{200: drill.Report{}}, do: s.getDrillReport},
	}
	for _, v := range []struct {
		verb  DrillVerb
		role  Role
		about string
	}{
		{DrillRun, Operator, "Begins a run outside the calendar. Every check is asked; 202, and the drill shows what becomes of it."},
		{DrillCancel, Operator, "Calls the next start off. It never begins; the one after it is planned."},
		{DrillStop, Operator, "Ends a run at once: what is away goes home."},
		{DrillBlock, Operator, "Lets no run begin, until a time or until the same source clears it."},
		{DrillClear, Operator, "Takes the block of the same source back."},
	} {
		out = append(out, route{method: http.MethodPost, path: "/drills/{drill}/" + string(v.verb), role: v.role, id: string(v.verb) + "Drill", about: v.about, params: []param{key, who},
			body: drillBody{}, reply: map[int]any{202: drill.View{}}, do: s.postDrill})
	}
	return append(out, route{method: http.MethodPost, path: "/drills/{drill}/signal", role: Signaler, id: "signalDrill", about: "What a monitor says: stop ends the run that is on, block lets none begin, clear takes the block back.",
		params: []param{key, who}, body: drillSignal{}, reply: map[int]any{202: drill.View{}}, do: s.postDrillSignal})
}

// drills returns the calendar as far as a caller may see it.
func (s *server) drills(c Caller) (Drills, error) {
	switch {
	case s.Calendar == nil:
		return nil, &fault.Error{Op: "find the drills", Kind: fault.NotFound, Hint: "this program has no calendar of drills"}
	case c.SeesAll() || c.has(Signaler) && !c.has(Reader):
		return s.Calendar, nil // a monitor is not narrowed to groups: it can end and block, and reads nothing
	}
	return seenDrills{s.Calendar, c}, nil
}

func (s *server) getDrills(ctx context.Context, r request) (answer, error) {
	d, err := s.drills(r.caller)
	if err != nil {
		return answer{}, err
	}
	all, err := d.List(ctx)
	return ok(list[drill.View]{Items: append([]drill.View{}, all...)}, err)
}

func (s *server) getDrill(ctx context.Context, r request) (answer, error) {
	d, err := s.drills(r.caller)
	if err != nil {
		return answer{}, err
	}
	return ok(d.Show(ctx, r.PathValue("drill")))
}

func (s *server) getDrillReport(ctx context.Context, r request) (answer, error) {
	d, err := s.drills(r.caller)
	if err != nil {
		return answer{}, err
	}
	format := r.URL.Query().Get("format")
	if format != "" && format != "json" && format != "markdown" && format != "html" {
		return answer{}, badField(problemField{"format", format, "json, markdown or html"})
	}
	rep, err := d.Report(ctx, r.PathValue("drill"), r.URL.Query().Get("run"))
	if err != nil {
		return answer{}, err
	}
	switch format {
	case "markdown":
		return answer{status: http.StatusOK, text: []byte(rep.Markdown()), media: "text/markdown; charset=utf-8"}, nil
	case "html":
		text, err := rep.HTML()
		r.w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		return answer{status: http.StatusOK, text: text, media: "text/html; charset=utf-8"}, err
	}
	return ok(rep, nil)
}

// postDrill takes the orders about drills. The last part of the path is the verb.
func (s *server) postDrill(ctx context.Context, r request) (answer, error) {
	var b drillBody
	if err := decodeStrict(r, s.Limits.Order, &b); err != nil {
		return answer{}, err
	}
	return s.orderDrill(ctx, r, DrillVerb(path.Base(r.URL.Path)), b)
}

// postDrillSignal takes what a monitor says.
func (s *server) postDrillSignal(ctx context.Context, r request) (answer, error) {
	var b drillSignal
	if err := decodeStrict(r, s.Limits.Order, &b); err != nil {
		return answer{}, err
	}
	switch b.Signal {
	case DrillStop, DrillBlock, DrillClear:
		return s.orderDrill(ctx, r, b.Signal, drillBody{Reason: b.Reason, Until: b.Until})
	case DrillRun, DrillCancel:
	}
	return answer{}, badField(problemField{"/signal", string(b.Signal), "stop, block or clear"})
}

func (s *server) orderDrill(ctx context.Context, r request, verb DrillVerb, b drillBody) (answer, error) {
	d, err := s.drills(r.caller)
	if err != nil {
		return answer{}, err
	}
	if r.caller.Name == "" {
		return answer{}, &requestError{problem{Status: http.StatusForbidden, Title: "An order needs a name", Detail: "name yourself in the header " + userHeader}}
	}
	bad := b.check(verb, s.Now().UTC())
	key, fine := idempotencyKey(r.Request)
	if !fine {
		bad = append(bad, problemField{keyHeader, "", fmt.Sprintf("one key of 1 to %d printable ASCII characters", maxKey)})
	}
	if len(bad) > 0 {
		return answer{}, badField(bad...)
	}
	v, err := d.Order(ctx, r.PathValue("drill"), verb, drill.Ask{By: r.caller.Name, Reason: b.Reason, Key: key, Accelerated: b.Accelerate,
		In: time.Duration(b.InMS) * time.Millisecond, Overrides: b.Overrides, Run: b.Run, Start: b.Start, Until: b.Until})
	var f *fault.Error
	if errors.Is(err, fault.Refused) && errors.As(err, &f) && f.Err != nil {
		return answer{}, &requestError{problem{Type: "urn:erfailover:refused", Status: http.StatusConflict, Title: "The drill cannot do this now", Kind: fault.Refused, Detail: f.Err.Error() + "; " + f.Hint}}
	}
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusAccepted, location: base + "/drills/" + v.Name, body: v}, nil
}

// check returns everything that is wrong with the body for this verb. A field that a
// verb does not take is refused, never ignored.
func (b drillBody) check(v DrillVerb, now time.Time) []problemField {
	var bad []problemField
	only := func(set bool, field string, verb DrillVerb) {
		if set && v != verb {
			bad = append(bad, problemField{field, "", fmt.Sprintf("nothing; %q does not take it", string(v))})
		}
	}
	only(b.Accelerate, "/accelerate", DrillRun)
	only(b.InMS != 0, "/in_ms", DrillRun)
	only(len(b.Overrides) > 0, "/overrides", DrillRun)
	only(b.Run != "", "/run", DrillStop)
	only(!b.Start.IsZero(), "/start", DrillCancel)
	only(!b.Until.IsZero(), "/until", DrillBlock)
	if b.InMS < 0 || b.InMS > (30*24*time.Hour).Milliseconds() {
		bad = append(bad, problemField{"/in_ms", fmt.Sprint(b.InMS), "0 to 30 days in milliseconds"})
	}
	if !b.Until.IsZero() && !b.Until.After(now) {
		bad = append(bad, problemField{"/until", b.Until.Format(time.RFC3339), "a time to come"})
	}
	if b.Run != "" && !isName(b.Run) {
		bad = append(bad, problemField{"/run", b.Run, "the ID of a run"})
	}
	if b.Reason != "" && !words(b.Reason, maxReason) {
		bad = append(bad, problemField{"/reason", "", fmt.Sprintf("at most %d bytes of text on one line", maxReason)})
	}
	if len(b.Overrides) > maxOverrides {
		bad = append(bad, problemField{"/overrides", "", fmt.Sprintf("at most %d codes", maxOverrides)})
	}
	return bad
}
