package events

import (
	"bytes"
	"slices"
	"strings"
)

// metricFields are the values of a flat metric record, as written.
type metricFields struct {
	resource, at, name, grain               []byte
	count, total, minimum, maximum, average []byte
}

// metricFast reads the common case, a flat metric record with exactly the
// documented keys, without building a tree: a busy estate sends thousands a
// minute. It answers false, having done nothing, for anything else; the general
// reader then gives the same result more slowly. The value v is valid JSON; rest
// is the number of bytes after it, for a guess at how many signals will follow.
func (p *parser) metricFast(v []byte, offset, rest int) bool {
	var f metricFields
	if !f.scan(v) || f.resource == nil || f.at == nil || f.name == nil {
		return false
	}
	t, known := p.targets[string(f.resource)]
	if known {
		t = t.copyErr()
	} else {
		t = p.resolve("resourceId", string(f.resource))
	}
	if t.err != nil {
		p.settle(v, offset, "metric-record", nil, t.err)
		return true
	}
	var s span
	for _, n := range [...]struct {
		text []byte
		to   **float64
	}{{f.count, &s.count}, {f.total, &s.total}, {f.minimum, &s.minimum}, {f.maximum, &s.maximum}, {f.average, &s.average}} {
		if n.text == nil {
			continue
		}
		value, ok := parseNumber(string(n.text))
		if !ok {
			return false
		}
		*n.to = p.keep(value)
	}
	if p.stamp == "" || string(f.at) != p.stamp {
		if _, err := p.eventTime("time", string(f.at)); err != nil {
			p.settle(v, offset, "metric-record", nil, err)
			return true
		}
	}
	m := measure{metric: p.intern(f.name), link: t.link, peering: t.peering}
	out, err := p.spanSignal(t, m, s, p.intern(f.grain), p.when)
	if err != nil {
		p.settle(v, offset, "metric-record", nil, err)
		return true
	}
	p.batch.Records++
	p.batch.Read++
	if len(p.batch.Signals) == cap(p.batch.Signals) {
		p.batch.Signals = slices.Grow(p.batch.Signals, 1+rest/len(v))
	}
	p.batch.Signals = append(p.batch.Signals, out)
	return true
}

// scan reads the fields. It answers false for an unknown key, an escape, a value
// of the wrong kind: all that the general reader must decide.
func (f *metricFields) scan(v []byte) bool {
	i := skipSpace(v, 1)
	for i < len(v) && v[i] == '"' {
		key, next, ok := plainString(v, i)
		if !ok {
			return false
		}
		i = skipSpace(v, next) // at the colon: v is valid
		i = skipSpace(v, i+1)
		to, text := f.slot(key)
		if to == nil || i >= len(v) {
			return false
		}
		switch c := v[i]; {
		case c == '"' && text:
			var s []byte
			if s, i, ok = plainString(v, i); !ok || len(s) == 0 {
				return false
			}
			*to = s
		case (c == '-' || (c >= '0' && c <= '9')) && !text:
			start := i
			for i < len(v) && v[i] != ',' && v[i] != '}' && v[i] > ' ' {
				i++
			}
			*to = v[start:i]
		case c == 'n' && !text:
			i += len("null")
		default:
			return false
		}
		i = skipSpace(v, i)
		if i < len(v) && v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
	return i < len(v) && v[i] == '}'
}

// slot returns the place of a key's value and whether that is text.
func (f *metricFields) slot(key []byte) (to *[]byte, text bool) {
	switch string(key) {
	case "count":
		return &f.count, false
	case "total":
		return &f.total, false
	case "minimum":
		return &f.minimum, false
	case "maximum":
		return &f.maximum, false
	case "average":
		return &f.average, false
	case "resourceId":
		return &f.resource, true
	case "time":
		return &f.at, true
	case "metricName":
		return &f.name, true
	case "timeGrain":
		return &f.grain, true
	}
	return nil, false
}

// plainString returns the inside of the string at v[i], when it has no escape,
// and the place after it.
func plainString(v []byte, i int) (s []byte, next int, ok bool) {
	n := bytes.IndexByte(v[i+1:], '"')
	if n < 0 {
		return nil, 0, false
	}
	s = v[i+1 : i+1+n]
	if bytes.IndexByte(s, '\\') >= 0 {
		return nil, 0, false
	}
	return s, i + n + 2, true
}

// keep stores a number among its neighbours and returns its address.
func (p *parser) keep(f float64) *float64 {
	if len(p.floats) == cap(p.floats) {
		p.floats = make([]float64, 0, 512)
	}
	p.floats = append(p.floats, f)
	return &p.floats[len(p.floats)-1]
}

// intern returns b as a string, the same one every time.
func (p *parser) intern(b []byte) string {
	if s, ok := p.words[string(b)]; ok {
		return s
	}
	s := strings.Clone(string(b))
	if len(p.words) < maxTargets {
		p.words[s] = s
	}
	return s
}
