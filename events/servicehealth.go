package events

import (
	"strings"
	"time"
)

// service reads a Service Health announcement. It names no circuit: the resource
// is the subscription, the correlation is the tracking id.
func (r *activity) service(p *parser) ([]Signal, error) {
	prop := func(names ...string) string { return r.props(names...).str() }
	if r.props("IsSynthetic").truth() || prop("trackingId") == "TEST-TTT" {
		return nil, notOurs("a test action")
	}
	if !r.concernsUs() {
		return nil, notOurs("Service Health of another service")
	}
	t := p.resolve(r.field, r.resource)
	if t.err != nil {
		return nil, t.err
	}
	s := Signal{Observer: ServiceHealth, Source: "ServiceHealth", Resource: t.id, At: r.at,
		Correlation: clean(prop("trackingId"), maxShortKey),
		Detail:      join(maxDetail, "; ", prop("stage"), prop("defaultLanguageTitle"), prop("title"))}
	if title := prop("defaultLanguageTitle"); title != "" {
		s.Detail = join(maxDetail, "; ", prop("stage"), title)
	}
	kind := squeeze(prop("incidentType"))
	op := lower(r.body.get("operationName").str())
	if kind == "maintenance" || (kind == "" && strings.Contains(op, "/maintenance/")) {
		s.Kind = Maintenance
		window, err := r.window()
		if err != nil {
			return nil, err
		}
		s.Window = &window
	} else {
		s.Kind, s.Plane = Health, ControlPlane
	}
	r.identify(p, &s, r.status(), lower(prop("trackingId")), lower(prop("communicationId")), squeeze(prop("stage")))
	return []Signal{s}, nil
}

// concernsUs tells whether the announcement is about a service that carries our
// traffic. One that names no service is taken as ours.
func (r *activity) concernsUs() bool {
	names := []string{r.props("service").str()}
	for _, s := range r.props("impactedServices").nested().items {
		names = append(names, s.get("ServiceName").str())
	}
	return ourServices(names)
}

// ourServices tells whether one of the services carries our traffic, or none is named.
func ourServices(names []string) bool {
	any := false
	for _, name := range names {
		name = squeeze(name)
		any = any || name != ""
		for _, ours := range [...]string{"expressroute", "networkinfrastructure", "virtualwan"} {
			if strings.Contains(name, ours) {
				return true
			}
		}
	}
	return !any
}

// window reads the span of maintenance from the announcement and its stage.
func (r *activity) window() (Window, error) {
	w := Window{Region: clean(r.props("region").str(), maxShortKey)}
	for _, f := range [...]struct {
		name string
		to   *time.Time
	}{{"impactStartTime", &w.Start}, {"impactMitigationTime", &w.End}} {
		text := r.props(f.name).str()
		if text == "" {
			continue
		}
		at, ok := parseTime(text)
		if !ok {
			return w, broken("properties."+f.name, text, "a time such as 2026-01-31T23:59:59Z")
		}
		*f.to = at
	}
	stage := squeeze(r.props("stage").str())
	over := stage == "complete" || stage == "completed" || stage == "resolved" || (stage == "" && r.status() == "resolved")
	cancelled := stage == "canceled" || stage == "cancelled"
	return w, w.close(over, cancelled, r.at, "properties.impactStartTime", "properties.impactMitigationTime")
}

// close ends a window that is over by what was said at an instant, and checks it. start
// and end name its fields for people.
func (w *Window) close(over, cancelled bool, at time.Time, start, end string) error {
	switch {
	case cancelled:
		w.Cancelled = true
	case w.Start.IsZero() && over:
		w.Start, w.End = at, at
	case w.Start.IsZero():
		return broken(start, "", "when the maintenance begins")
	case over && at.Before(w.Start):
		w.Cancelled = true
	case over && (w.End.IsZero() || at.Before(w.End)):
		w.End = at
	}
	if !w.End.IsZero() && w.End.Before(w.Start) {
		return broken(end, w.End.Format(time.RFC3339), "not before impactStartTime")
	}
	return nil
}
