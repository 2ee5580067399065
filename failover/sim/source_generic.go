package sim

import "time"

// MonitorReport is what an on-premises monitor says of a circuit, in the small
// form that the program takes from monitors of one's own.
type MonitorReport struct {
	Resource string // resource ID of a circuit, connection, gateway or port
	State    string // up, degraded or down
	Link     Link   // "" is the whole circuit
	Monitor  string // name of the monitor; "" leaves it out
	Detail   string // text for people; "" leaves it out
	At       time.Time
}

// OnPremises writes a report in the generic form, version 1.
func (s Source) OnPremises(r MonitorReport) []byte {
	f := fields{
		"erfailover":  "v1",
		"resource":    r.Resource,
		"state":       r.State,
		"at":          r.At.UTC().Format(time.RFC3339Nano),
		"correlation": s.guid("monitor", r.Monitor, r.Resource, string(r.Link), r.State, at(r.At)),
	}
	for name, v := range map[string]string{"link": string(r.Link), "source": r.Monitor, "detail": r.Detail} {
		if v != "" {
			f[name] = v
		}
	}
	return wire(f)
}
