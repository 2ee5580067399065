package events

// metricFast is not there yet.
func (p *parser) metricFast(v []byte, offset int) bool { return false }
