package sim

import "time"

// Provisioning states, as answers spell them.
const (
	succeeded  = "Succeeded"
	updating   = "Updating"
	failed     = "Failed"
	canceled   = "Canceled"
	inProgress = "InProgress"
)

// operation is one long-running operation.
type operation struct {
	id       string
	target   string // connection key of a write; resource ID of a slow read
	gateway  string // gateway key that it holds, "" when it holds none
	begun    time.Time
	lands    time.Time // when a write takes effect; zero: never
	ends     time.Time // when its status becomes final; zero: never
	final    string    // Succeeded, Failed, Canceled
	code     string
	message  string
	pending  body                  // what a write will put there
	answer   func(*Fabric) encoded // what a slow read will tell, asked at its end
	act      func()                // what the landing of a lever does
	result   encoded
	landed   bool
	ended    bool
	lost     bool // it is never found
	noStatus bool // its answers carry no status
	location string
}

// encoded is JSON that is ready to be sent; nil when there is none.
type encoded []byte

// lock takes the mutex and moves the estate forward to now. The caller unlocks.
func (f *Fabric) lock(now time.Time) {
	f.mu.Lock()
	f.advance(now)
}

// Advance moves the estate forward to now. Every other call does so by itself.
func (f *Fabric) Advance(now time.Time) {
	f.lock(now)
	f.mu.Unlock()
}

// Next returns the instant at which the estate will next change by itself, and
// false when nothing is under way.
func (f *Fabric) Next() (time.Time, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, op, _ := f.soonest()
	return at, op != nil
}

// soonest finds the earliest landing or end. A landing comes before an end of the
// same instant, and an earlier operation before a later one.
func (f *Fabric) soonest() (at time.Time, next *operation, landing bool) {
	for _, op := range f.open {
		if !op.landed && !op.lands.IsZero() && (next == nil || op.lands.Before(at)) {
			at, next, landing = op.lands, op, true
		}
		if !op.ended && !op.ends.IsZero() && (next == nil || op.ends.Before(at)) {
			at, next, landing = op.ends, op, false
		}
	}
	return at, next, landing
}

// advance lets everything that is due by now happen, in order.
func (f *Fabric) advance(now time.Time) {
	for {
		at, op, landing := f.soonest()
		if op == nil || at.After(now) {
			break
		}
		f.count(at)
		if landing {
			f.land(op)
		} else {
			f.end(op)
		}
		if op.done() {
			f.close(op)
		}
	}
	f.count(now)
}

// done says whether nothing can happen to op any more.
func (op *operation) done() bool {
	return (op.landed || op.lands.IsZero()) && (op.ended || op.ends.IsZero())
}

// close takes op from the open list.
func (f *Fabric) close(op *operation) {
	for i, o := range f.open {
		if o == op {
			f.open = append(f.open[:i:i], f.open[i+1:]...)
			return
		}
	}
}

// land lets a write take effect. What it carries replaces what is there, be that
// newer or not: that is what a late landing does.
func (f *Fabric) land(op *operation) {
	op.landed = true
	if op.act != nil {
		op.act()
		return
	}
	k := f.connections[op.target]
	if k == nil || op.pending == nil {
		return
	}
	state := k.body.sub("properties").text("provisioningState")
	k.before, k.body = k.body, op.pending
	k.set("provisioningState", state)
	k.body = k.body.with("etag", f.etag())
	from := k.weight
	k.weight, k.connected = weightOf(k.body), true
	if k.body.sub("properties").get("connectionStatus") != nil { // Virtual WAN shows none
		k.set("connectionStatus", "Connected")
	}
	f.landings = append(f.landings, Landing{At: op.lands, Connection: k.id, From: from, To: k.weight, Operation: op.id})
}

// end makes an operation's status final and frees its gateway.
func (f *Fabric) end(op *operation) {
	op.ended = true
	if op.answer != nil {
		op.result = op.answer(f)
	}
	k := f.connections[op.target]
	if k == nil || op.pending == nil {
		return
	}
	state := succeeded
	if op.final == failed {
		state = failed
	}
	k.set("provisioningState", state)
	k.body = k.body.with("etag", f.etag())
}

// set changes one property of a connection's body.
func (k *connection) set(name string, value any) {
	k.body = k.body.with("properties", k.body.sub("properties").with(name, value))
}

// busy says whether something holds a gateway now.
func (f *Fabric) busy(gateway string) bool {
	if g := f.gateways[gateway]; g != nil && f.now.Before(g.held) {
		return true
	}
	for _, op := range f.open {
		if op.gateway == gateway && !op.ended {
			return true
		}
	}
	return false
}
