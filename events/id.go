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
	if s.At == p.when && len(p.printed) > 0 {
		b = append(b, p.printed...)
	} else {
		b = s.At.AppendFormat(b, time.RFC3339Nano)
	}
	p.scratch = b
	sum := sha256.Sum256(b)
	var id [idLength]byte
	id[0], id[1] = 's', '-'
	hex.Encode(id[2:], sum[:10])
	s.ID = p.keepID(id[:])
}

// Signal IDs are allocated some at a time. Not more: one that is remembered keeps
// its neighbours in memory.
const (
	idLength  = 22
	idsAtOnce = 16
)

// keepID returns an ID as a string.
func (p *parser) keepID(id []byte) string {
	if p.ids.Cap()-p.ids.Len() < len(id) {
		p.ids.Reset()
		p.ids.Grow(idLength * idsAtOnce)
	}
	n := p.ids.Len()
	p.ids.Write(id)
	return p.ids.String()[n:]
}
