package sim

import (
	"strings"
	"time"
)

// Request is one request that the ARM face answered, or refused to.
type Request struct {
	At            time.Time
	Method        string
	Path          string // as sent, without the query
	Kind          Kind
	Body          string // as sent
	Status        int    // 0 when the connection was dropped
	Code          string // error code of the answer, "" if none
	Fault         FaultKind
	Operation     string // ID of the operation that it began, "" if none
	Authorization string // "none", "bearer" or "unknown"; never the token
	ClientRequest string // x-ms-client-request-id as sent
	Correlation   string // x-ms-correlation-request-id of the answer
	IfMatch       string // If-Match as sent
}

// Landing is one change of a connection that took effect.
type Landing struct {
	At         time.Time
	Connection string // resource ID
	From, To   int32  // routing weight
	Operation  string // "" when a foreign writer did it
}

// note appends to the journal.
func (f *Fabric) note(r Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
}

// Requests returns the journal of the ARM face, oldest first.
func (f *Fabric) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Request(nil), f.requests...)
}

// Puts returns the PUT requests for one connection, refused ones included. An
// empty ID means every connection.
func (f *Fabric) Puts(connection string) []Request {
	var out []Request
	for _, r := range f.Requests() {
		if r.Kind == KindConnectionPut && (connection == "" || strings.EqualFold(r.Path, connection)) {
			out = append(out, r)
		}
	}
	return out
}

// Landings returns every change that took effect until now, oldest first.
func (f *Fabric) Landings(now time.Time) []Landing {
	f.lock(now)
	defer f.mu.Unlock()
	return append([]Landing(nil), f.landings...)
}
