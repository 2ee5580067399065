package events

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// identify gives s its ID: the hash of the channel, of the parts that name the
// piece of news in that channel, and of what the signal claims. Spelling of the
// input (case of IDs, order of keys, white space) is not in it, nor is the value:
// a number sent again with more digits is the same news while the state is.
func (p *parser) identify(s *Signal, channel string, parts ...string) {
	b := p.scratch[:0]
	add := func(part string) {
		b = append(b, part...)
		b = append(b, 0)
	}
	add(channel)
	for _, part := range parts {
		add(part)
	}
	add(string(s.Kind))
	add(string(s.Observer))
	add(s.Resource)
	add(string(s.Link))
	add(string(s.Peering))
	add(string(s.State))
	b = s.At.AppendFormat(b, time.RFC3339Nano)
	p.scratch = b
	sum := sha256.Sum256(b)
	var id [22]byte
	id[0], id[1] = 's', '-'
	hex.Encode(id[2:], sum[:10])
	s.ID = string(id[:])
}
