package events

import "slices"

// metricFast reads the common case, a flat metric record with exactly the
// documented keys, in one pass and without building a tree: a busy estate sends
// thousands a minute, and after an outage millions at once. It returns the place
// after the record. It answers false, having done nothing, for anything else; the
// general reader then gives the same result more slowly.
func (p *parser) metricFast(b []byte, i int) (end int, ok bool) {
	f := &p.fields
	*f = metricFields{}
	if end, ok = f.scan(b, i); !ok || f.resource == nil || f.at == nil || f.name == nil {
		return 0, false
	}
	if p.lastTarget == nil || string(f.resource) != p.lastRaw {
		p.lastRaw = string(f.resource)
		p.lastTarget = p.lookUp("resourceId", p.lastRaw)
	}
	t := p.lastTarget
	if t.err != nil {
		p.settle(b[i:end], i, "metric-record", nil, t.copyErr().err)
		return end, true
	}
	if p.stamp == "" || string(f.at) != p.stamp {
		if _, err := p.eventTime("time", string(f.at)); err != nil {
			p.settle(b[i:end], i, "metric-record", nil, err)
			return end, true
		}
	}
	named, told := p.metricNamed(f.name), p.span(f)
	if err := told.check(t, named.kind); err != nil {
		p.settle(b[i:end], i, "metric-record", nil, err)
		return end, true
	}
	if string(f.grain) != p.lastGrain {
		p.lastGrain = string(f.grain)
	}
	n := len(p.batch.Signals)
	if n == cap(p.batch.Signals) {
		p.batch.Signals = slices.Grow(p.batch.Signals, 1+(len(b)-end)/(end-i))
	}
	p.batch.Signals = p.batch.Signals[:n+1]
	out := &p.batch.Signals[n]
	*out = Signal{}
	p.measure = measure{link: t.link, peering: t.peering}
	p.spanSignal(out, t, &p.measure, named, told, p.lastGrain, p.when)
	p.batch.Records++
	p.batch.Read++
	return end, true
}

// span keeps the numbers of a record.
func (p *parser) span(f *metricFields) span {
	var kept [metricNumbers]*float64
	for i, told := range f.told {
		if told {
			kept[i] = &f.numbers[i]
		}
	}
	if kept[metricNumbers-1] != nil {
		kept[metricNumbers-1] = p.keep(f.numbers[metricNumbers-1])
	}
	return span{count: kept[0], total: kept[1], minimum: kept[2], maximum: kept[3], average: kept[4]}
}

// metricNamed is metricOf without a string of its own for a name seen before.
func (p *parser) metricNamed(name []byte) namedMetric {
	if m, ok := p.metrics[string(name)]; ok {
		return m
	}
	return p.metricOf(string(name))
}

// keep stores a number among its neighbours and returns its address. Only the
// average is kept: it alone stands in a signal.
func (p *parser) keep(f float64) *float64 {
	if len(p.floats) == cap(p.floats) {
		p.floats = make([]float64, 0, 512)
	}
	p.floats = append(p.floats, f)
	return &p.floats[len(p.floats)-1]
}
