package events

import (
	"strings"
	"time"
)

// maxWeight is the highest routing weight of a connection.
const maxWeight = 32000

// write reads an administrative record: who wrote what.
func (r *activity) write(p *parser, op string) ([]Signal, error) {
	if !strings.HasSuffix(op, "/write") && !strings.HasSuffix(op, "/delete") {
		return nil, notOurs("an operation that writes nothing")
	}
	t := p.resolve(r.field, r.resource)
	if t.err != nil {
		return nil, t.err
	}
	identity := r.body.get("identity").nested()
	claims := identity.get("claims").nested()
	if !claims.is() {
		claims = r.body.get("claims").nested()
	}
	w := writeFact{target: t, at: r.at, op: op, result: r.body.first("resultType", "status").str(),
		actor: actor(claims, r.body.get("caller").str()), correlation: r.body.get("correlationId").str()}
	w.weight = routingWeight(r.props("requestbody"))
	s, err := w.signal()
	if err != nil {
		return nil, err
	}
	weight := ""
	if s.Weight != nil {
		weight = number(float64(*s.Weight))
	}
	r.identify(p, &s, lower(op), r.status(), weight)
	return []Signal{s}, nil
}

// writeFact is a write by somebody, whatever told of it.
type writeFact struct {
	target      target
	at          time.Time
	op          string
	result      string
	actor       string
	correlation string
	weight      *int32
}

// signal makes the signal; the ID is the caller's to give.
func (w *writeFact) signal() (Signal, error) {
	if w.target.typ == "" || w.target.typ == TypeMonitor {
		return Signal{}, notOurs("a write to a resource that we do not steer")
	}
	return Signal{Kind: Write, Observer: ActivityLog, Source: clean(w.op, maxSource), Resource: w.target.id, Peering: w.target.peering,
		Link: w.target.link, At: w.at, Correlation: clean(w.correlation, maxShortKey), Actor: clean(w.actor, maxShortKey),
		Weight: w.weight, Detail: clean(w.result, maxDetail)}, nil
}

// actor names the writer: the object id, which never changes, then the
// application, then a name.
func actor(claims node, caller string) string {
	for _, name := range [...]string{
		"http://schemas.microsoft.com/identity/claims/objectidentifier", "oid", "appid", "azp",
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "name"} {
		if v := claims.member(name).str(); v != "" {
			return v
		}
	}
	return caller
}

// routingWeight finds the weight in the body of a request: an object or JSON text.
// A weight that is not a whole number from 0 to 32000 is not told.
func routingWeight(body node) *int32 {
	body = body.nested()
	v := body.get("properties").nested().member("routingWeight")
	if !v.is() {
		v = body.member("routingWeight")
	}
	f, err := v.num("routingWeight")
	if err != nil || f == nil || *f < 0 || *f > maxWeight || *f != float64(int32(*f)) {
		return nil
	}
	w := int32(*f)
	return &w
}
