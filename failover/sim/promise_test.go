package sim

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// act is one random deed on an estate.
type act struct {
	after  time.Duration
	what   int
	at     int // which connection, circuit or link
	weight int32
	effect Effect
}

func acts(t *rapid.T) []act {
	span := rapid.SampledFrom([]time.Duration{0, time.Second, 19 * time.Second, 20 * time.Second, 45 * time.Second, 3 * time.Minute})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) act {
		return act{
			after: span.Draw(t, "after"), what: rapid.IntRange(0, 7).Draw(t, "what"), at: rapid.IntRange(0, 26).Draw(t, "at"),
			weight: rapid.Int32Range(0, 32000).Draw(t, "weight"),
			effect: rapid.SampledFrom([]Effect{{}, {}, {}, {Land: -1, Final: failed}, {Land: time.Hour}, {End: -1}, {Final: failed}, {AtOnce: true}, {Forgotten: true}}).Draw(t, "effect"),
		}
	}), 1, 30).Draw(t, "acts")
}

// play carries out acts and calls between before each of them.
func play(d Demo, list []act, between func(f *Fabric, from, to time.Time)) time.Time {
	f, now := d.Fabric, benchStart
	conns, circuits := f.Connections(""), f.Circuits()
	for _, a := range list {
		between(f, now, now.Add(a.after))
		now = now.Add(a.after)
		circuit, link := circuits[a.at%len(circuits)], Links()[a.at%2]
		switch a.what {
		case 0:
			f.Cut(circuit, now)
		case 1:
			f.Heal(circuit, now)
		case 2:
			f.SetLoss(circuit, link, float64(a.weight)/maxWeight, now)
		case 3:
			f.ForeignWrite(conns[a.at], a.weight, now)
		case 4:
			_, _ = f.Ask(AskSummary, circuit, string(link), now)
		default:
			raw, _ := f.Get(conns[a.at], false, KeyAbsent, now)
			b, _ := parseBody(raw)
			_, _ = f.Put(conns[a.at], withWeight(b, int(a.weight)), a.effect, now)
		}
	}
	between(f, now, now.Add(2*time.Hour))
	return now.Add(2 * time.Hour)
}

// facts prints everything that an estate tells at one instant.
func facts(f *Fabric, now time.Time) (exact string, flows []float64) {
	var b strings.Builder
	for _, id := range f.Connections("") {
		raw, _ := f.Get(id, false, KeyAbsent, now)
		old, _ := f.Get(id, true, KeyAbsent, now)
		b.Write(raw)
		b.Write(old)
	}
	for _, l := range f.Landings(now) {
		b.Write(encode([]string{l.At.String(), l.Connection, l.Operation}))
	}
	for _, id := range f.Gateways() {
		b.WriteString(strings.Join(f.Carrying(id, now), " "))
		w := f.Flow(id, now)
		flows = append(flows, w.Sent, w.Lost)
		b.WriteString(w.Dead.String() + w.Hurt.String())
	}
	return b.String(), flows
}

// TestLazyLandings promises that it does not matter how often an estate is looked
// at: the same deeds give the same estate, be it touched every second or never.
func TestLazyLandings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := acts(t)
		lazy, eager := DemoEstateAt(benchStart, Timing{}), DemoEstateAt(benchStart, Timing{})
		end := play(lazy, list, func(*Fabric, time.Time, time.Time) {})
		play(eager, list, func(f *Fabric, from, to time.Time) {
			for at := from; at.Before(to); at = at.Add(max(17*time.Second, to.Sub(from)/20)) {
				f.Advance(at)
				if next, some := f.Next(); some && next.After(at) && next.Before(to) {
					f.Advance(next)
				}
			}
		})
		a, x := facts(lazy.Fabric, end)
		b, y := facts(eager.Fabric, end)
		if a != b {
			t.Fatalf("two estates differ:\n%s\n%s", a, b)
		}
		for i := range x {
			if math.Abs(x[i]-y[i]) > 1e-6*math.Max(1, x[i]) {
				t.Fatalf("flow %d: %v and %v", i, x[i], y[i])
			}
		}
	})
}

// TestPromises checks what holds after any deeds: a gateway is held by one write
// at most, bytes are neither made nor forgotten, nothing is lost that was not
// sent, and an ended estate is at rest.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := DemoEstateAt(benchStart, Timing{})
		end := play(d, acts(t), func(f *Fabric, _, _ time.Time) {
			held := map[string]int{}
			for _, op := range f.open {
				if op.gateway != "" && !op.ended {
					held[op.gateway]++
				}
			}
			for g, n := range held {
				if n > 1 {
					t.Fatalf("%d writes hold %s", n, g)
				}
			}
		})
		f := d.Fabric
		f.Advance(end)
		if at, some := f.Next(); some {
			t.Fatalf("something is still to come at %s", at)
		}
		var sent, lost, out, dropped float64
		for _, id := range f.Gateways() {
			w := f.Flow(id, end)
			sent, lost = sent+w.Sent, lost+w.Lost
			if w.Lost > w.Sent+1 || w.Dead > w.Hurt || w.Hurt > end.Sub(benchStart) {
				t.Fatalf("%s: %+v", id, w)
			}
		}
		for _, id := range f.Circuits() {
			for _, l := range Links() {
				s, _ := f.Link(id, l, end)
				out, dropped = out+s.BytesOut, dropped+s.BytesLost
				if math.Abs(s.BytesIn+s.BytesLost-s.BytesOut) > 1 {
					t.Fatalf("%s %s: %+v", id, l, s)
				}
			}
		}
		if unrouted := sent - out; unrouted < -1 || math.Abs(unrouted+dropped-lost) > 1e-6*sent {
			t.Fatalf("sent %v, over links %v, lost %v, dropped on links %v", sent, out, lost, dropped)
		}
	})
}

// FuzzFace checks that no request breaks the face: every answer has a status and,
// when it is not empty, is JSON.
func FuzzFace(f *testing.F) {
	d := DemoEstateAt(benchStart, Timing{})
	id := d.Connections["gw-east-1/er-chicago"]
	raw, _ := d.Fabric.Get(id, false, KeyAbsent, benchStart)
	f.Add("PUT", id, raw)
	f.Add("PATCH", id, []byte(`{"tags":{"a":"b"}}`))
	f.Add("GET", d.Gateways["gw-east-1"]+"/connections", []byte{})
	f.Add("POST", d.Circuits["er-ashburn"]+"/peerings/AzurePrivatePeering/arpTables/primary", []byte{})
	f.Add("POST", d.Circuits["er-ashburn"]+"/peerings/arpTables", []byte{})
	f.Add("GET", "/subscriptions/x/providers/Microsoft.Network/locations/operations", []byte{})
	f.Add("GET", "/subscriptions/x/providers/Microsoft.Network/locations/l/operations/", []byte{})
	f.Add("GET", "/subscriptions//providers/Microsoft.ResourceHealth/availabilityStatuses", []byte{})
	f.Add("PUT", demoRoot+"/expressRouteGateways/gw-south-hub/expressRouteConnections/x", []byte(`{"properties":{"expressRouteCircuitPeering":{"id":"`+d.Circuits["er-ashburn"]+`/peerings/x"}}}`))
	f.Fuzz(func(t *testing.T, method, path string, sent []byte) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#%") || !printable(path) || !printable(method) || method == "" {
			return
		}
		face := NewARM(DemoEstateAt(benchStart, Timing{}).Fabric, Options{NoAuth: true, Now: func() time.Time { return benchStart }})
		r, err := http.NewRequestWithContext(t.Context(), method, "https://face"+path+"?api-version=1&$skipToken=-5", strings.NewReader(string(sent)))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		face.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 499 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if w.Body.Len() > 0 {
			if _, err := parseBody(w.Body.Bytes()); err != nil {
				t.Fatalf("%v in %s", err, w.Body)
			}
		}
	})
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// FuzzBody checks that an object keeps its meaning through reading and writing,
// and that what a fabric does not touch is not bent.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":9007199254740993},"":null}`))
	f.Add([]byte(`{"a":[],"A":"\u00e9"}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBody(raw)
		if err != nil {
			return
		}
		again, err := parseBody(b.raw())
		if err != nil || string(again.raw()) != string(b.raw()) {
			t.Fatalf("%s became %s (%v)", raw, again.raw(), err)
		}
		set := b.with("zz-new", 1).without("zz-new")
		if b.get("zz-new") == nil && string(set.raw()) != string(b.raw()) {
			t.Fatalf("%s became %s", b.raw(), set.raw())
		}
	})
}
