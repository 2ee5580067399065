package events

import "strings"

// A measure is one metric's value over one window, with what it was split by.
type measure struct {
	metric  string   // as the source spells it
	value   *float64 // aggregated over the window; nil when not told
	agg     string   // "average", "minimum", "maximum", "total", "count"; lower case
	link    Link
	peering Peering
	split   bool   // one series of several: a session, an instance, a route's peer
	vague   string // a dimension that we could not read; "" if none
}

// metricKind sorts metrics by what they can claim.
type metricKind int

const (
	traffic      metricKind = iota // a number to show, no claim
	availability                   // 0..100 per cent of sessions up
	routes                         // a count of routes; none is bad
	line                           // 0 or 1
	light                          // dBm; healthy -10..0
	checks                         // per cent of failed checks
	testResult                     // 0 no data, 1 pass, 2 warning, 3 fail
	roundTrip                      // ms
)

// namedMetric is a metric's official name and kind.
type namedMetric struct {
	name string
	kind metricKind
}

// Names of metrics as Azure spells them, for a Source that never varies in case.
var metricNames = [...]namedMetric{
	{"ArpAvailability", availability},
	{"BgpAvailability", availability},
	{"BitsInPerSecond", traffic},
	{"BitsOutPerSecond", traffic},
	{"LineProtocol", line},
	{"AdminState", line},
	{"RxLightLevel", light},
	{"TxLightLevel", light},
	{"ExpressRouteGatewayCountOfRoutesLearnedFromPeer", routes},
	{"ExpressRouteGatewayCountOfRoutesAdvertisedToPeer", routes},
	{"ScalableExpressRouteGatewayCountOfRoutesLearnedFromPeer", routes},
	{"ScalableExpressRouteGatewayCountOfRoutesAdvertisedToPeer", routes},
	{"ChecksFailedPercent", checks},
	{"TestResult", testResult},
	{"RoundTripTimeMs", roundTrip},
}

// metricOf is the function of that name, remembering its answers.
func (p *parser) metricOf(name string) namedMetric {
	if m, ok := p.metrics[name]; ok {
		return m
	}
	m := metricOf(name)
	if len(p.metrics) < maxTargets {
		p.metrics[name] = m
	}
	return m
}

// metricOf returns the official spelling of a metric and what it can claim. A
// metric that is not in the table is shown and claims nothing.
func metricOf(name string) namedMetric {
	for _, m := range metricNames {
		if strings.EqualFold(m.name, name) {
			return m
		}
	}
	return namedMetric{clean(name, 100), traffic}
}

// observerOf tells which observer a metric of a resource type belongs to.
func observerOf(typ string) Observer {
	switch typ {
	case TypeVNetGateway, TypeVWANGateway:
		return Gateway
	case TypeMonitor:
		return Probe
	}
	return Metric
}

// planeOf tells what a claim of this kind rests on.
func planeOf(kind metricKind) Plane {
	switch kind {
	case availability, routes, line, light:
		return ControlPlane
	case traffic, checks, testResult, roundTrip:
		return DataPlane
	}
	return DataPlane
}

// firedState judges the value of an alert that fired, and says why when the
// answer is not plain. The value decides, never the rule's name or text.
func firedState(m measure, kind metricKind, inverse bool) (State, string) {
	if kind == traffic {
		return Unknown, ""
	}
	if m.value == nil {
		return Unknown, "fired without a value"
	}
	if m.agg == "count" {
		return Unknown, "a count of samples says nothing"
	}
	state, why := valueState(m, kind)
	if state == Up && !inverse {
		return Unknown, "fired on a good value"
	}
	if state == Down && m.vague != "" {
		return Degraded, "part unknown: " + m.vague
	}
	return state, why
}

// valueState judges a value.
func valueState(m measure, kind metricKind) (State, string) {
	v := *m.value
	switch kind {
	case availability, line:
		good := 100.0
		if kind == line {
			good = 1
		}
		switch {
		case v >= good:
			return Up, ""
		case v > 0:
			return Degraded, ""
		case m.agg == "minimum":
			return Degraded, "the lowest value of the window"
		}
		return Down, ""
	case routes:
		switch {
		case v > 0:
			return Degraded, ""
		case m.split || m.agg == "minimum":
			return Degraded, "no routes on one session"
		}
		return Down, ""
	case light:
		return Degraded, "light level out of range"
	case checks:
		switch {
		case v >= 100 && m.agg != "maximum":
			return Down, ""
		case v > 0:
			return Degraded, ""
		}
		return Up, ""
	case testResult:
		switch {
		case v < 1:
			return Unknown, "the test has no data"
		case v >= 3 && m.agg != "maximum":
			return Down, ""
		case v > 1:
			return Degraded, ""
		}
		return Up, ""
	case roundTrip:
		return Degraded, "round trip too long"
	case traffic:
		return Unknown, ""
	}
	return Unknown, ""
}

// span is a metric record: all series of one metric in one minute, folded.
type span struct {
	count, total, minimum, maximum, average *float64
}

// spanState judges a folded record. It has no dimensions, so it cannot tell
// links or peerings apart: only "all are zero" is Down. A record that was split by
// dimensions has one sample by nature.
func spanState(s span, kind metricKind, split bool) (state State, tentative bool, why string) {
	if s.count != nil && *s.count == 0 {
		return Unknown, false, "no samples"
	}
	low, high := s.minimum, s.maximum
	if low == nil {
		low = s.average
	}
	if high == nil {
		high = s.average
	}
	if low == nil || high == nil {
		return Unknown, false, "no value"
	}
	few := !split && s.count != nil && *s.count == 1
	many := !split && s.count != nil && *s.count > 2
	switch kind {
	case availability, line:
		good := 100.0
		if kind == line {
			good = 1
		}
		switch {
		case *high == 0:
			state = Down
		case *low < good:
			state = Degraded
		default:
			state, tentative = Up, few
		}
		if many {
			why = "several peerings folded into one number"
		} else if few {
			why = "one sample only"
		}
		return state, tentative, why
	case routes:
		switch {
		case *high == 0:
			return Down, false, "no routes"
		case *low == 0:
			return Degraded, false, "no routes on one session"
		}
		return Up, false, ""
	case light:
		if *low < -10 || *high > 0 {
			return Degraded, false, "light level out of range"
		}
	case checks:
		switch {
		case *low >= 100:
			return Down, false, ""
		case *high > 0:
			return Degraded, false, "some checks fail"
		}
		return Up, false, ""
	case testResult, roundTrip, traffic:
	}
	return Unknown, false, ""
}
