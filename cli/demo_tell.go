package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/report"
	"erfailover/failover/sim"
)

// line is one line of the program's log.
type line struct {
	Time      time.Time `json:"time"`
	Event     string    `json:"event"`
	Group     string    `json:"group"`
	Action    string    `json:"action"`
	Kind      string    `json:"kind"`
	Reasons   []string  `json:"reasons"`
	From      []string  `json:"from"`
	To        []string  `json:"to"`
	Operation string    `json:"operation"`
	Writes    int       `json:"writes"`
	Epoch     int64     `json:"epoch"`
	Result    string    `json:"result"`
}

// hear takes in one line of the program's log, and tells what matters of it.
func (d *demo) hear(text string) {
	fmt.Fprintln(d.logs, text)
	var l line
	if json.Unmarshal([]byte(text), &l) != nil || l.Event == "" {
		return
	}
	d.mu.Lock()
	d.told = append(d.told, l)
	d.damped = d.damped || (l.Event == "verdict.changed" && slices.Contains(l.Reasons, "damped"))
	d.mu.Unlock()
	if s := sentenceOf(l); s != "" {
		fmt.Fprintf(d.out, "%s  %-8s %s\n", l.Time.UTC().Format("15:04:05"), l.Group, s)
	}
}

// sentenceOf tells a line to a person; "" for what needs no telling.
func sentenceOf(l line) string {
	switch l.Event {
	case "verdict.changed":
		if slices.Equal(l.Reasons, []string{"well"}) || l.Action != "hold" {
			return ""
		}
		return "holds: " + strings.Join(l.Reasons, ", ")
	case "operation.decided":
		if l.Kind == "settle" {
			return fmt.Sprintf("DECIDED to write the weights at rest back: %d writes, epoch %d", l.Writes, l.Epoch)
		}
		return fmt.Sprintf("DECIDED %s from %s to %s: %d writes, epoch %d, stored before the first is sent", l.Kind, strings.Join(l.From, ", "), strings.Join(l.To, ", "), l.Writes, l.Epoch)
	case "operation.ended":
		return fmt.Sprintf("%s ended: %s", l.Kind, strings.ToUpper(l.Result))
	}
	return ""
}

// count counts lines of an event, by kind or by reason where given.
func (d *demo) count(event, kind, reason string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, l := range d.told {
		if l.Event == event && (kind == "" || l.Kind == kind) && (reason == "" || slices.Contains(l.Reasons, reason)) {
			n++
		}
	}
	return n
}

// say tells what happens in the world.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "%s  %-8s %s\n", d.clock.Now().UTC().Format("15:04:05"), "*", fmt.Sprintf(format, args...))
}

func (d *demo) opening() {
	fmt.Fprintf(d.out, `A simulated estate, %gx as fast as yours, at %s:
  %d circuits of 4 providers, %d gateways in %d regions (one of Virtual WAN), 2 data centres.
  events ─▶ Functions host stand-in ─▶ erfailover handler ─▶ Azure SDK ─▶ ARM over TLS (%s)
  the page, live: %s/api/?code=function
  * marks what happens in the world; the other lines are what the program does.

`, d.clock.speed, demoStart().Format("Mon 2 Jan 2006 15:04 MST"), len(d.est.Circuits), len(d.est.Gateways), len(d.est.Regions), d.arm.URL(), d.host.URL())
	d.weights("at rest")
}

// weights draws the story group's weights and what carries.
func (d *demo) weights(when string) {
	now := d.clock.Now()
	fmt.Fprintf(d.out, "\n  weights of group %s %s (the thick line carries)\n", storyGroup, when)
	for _, gw := range d.est.Regions[storyGroup] {
		carrying := d.est.Fabric.Carrying(d.est.Gateways[gw], now)
		fmt.Fprintf(d.out, "    %-10s", gw)
		for _, c := range d.est.Preference[storyGroup] {
			weight, _ := d.est.Fabric.Weight(d.est.Connections[gw+"/"+c], now)
			mark := "──"
			if slices.ContainsFunc(carrying, func(id string) bool { return strings.EqualFold(id, d.est.Circuits[c]) }) {
				mark = "━━"
			}
			fmt.Fprintf(d.out, "  %s %s %-4d", mark, short(c), weight)
		}
		fmt.Fprintln(d.out)
	}
	fmt.Fprintln(d.out)
}

// judge collects what happened and compares every connection with what it was.
func (d *demo) judge(ctx context.Context) (demoResult, error) {
	r := demoResult{Writes: map[string]int{}, Restored: true, Damped: d.damped}
	now := d.clock.Now()
	story := map[string]bool{}
	for _, gw := range d.est.Regions[storyGroup] {
		for _, c := range d.est.Preference[storyGroup] {
			story[strings.ToLower(d.est.Connections[gw+"/"+c])] = true
		}
	}
	for _, p := range d.est.Fabric.Puts("") {
		name := p.Path[strings.LastIndexByte(p.Path, '/')+1:]
		if story[strings.ToLower(p.Path)] {
			r.Writes[name]++
		} else {
			r.OtherPUTs++
		}
	}
	for _, id := range d.est.Fabric.Connections("") {
		body, _ := d.est.Fabric.Get(id, false, sim.KeyMasked, now)
		if !bytes.Equal(lasting(body), lasting(d.before[id])) {
			r.Restored = false
			r.Differences = append(r.Differences, id)
		}
	}
	r.DeadSeconds = d.est.Fabric.Flow(d.est.Gateways[d.est.Regions[storyGroup][0]], now).Hurt.Seconds()
	r.LongSeconds = d.healed.Sub(d.grey).Seconds()
	r.Events, r.Invocations = d.sent, d.host.Counters().Invocations
	d.mu.Lock()
	var ids []string
	for _, l := range d.told {
		if l.Event == "operation.ended" {
			ids = append(ids, l.Operation)
		}
	}
	d.mu.Unlock()
	for _, id := range ids {
		body, err := d.get(ctx, "/api/v1/operations/"+id)
		if err != nil {
			return r, err
		}
		r.Operations = append(r.Operations, body)
	}
	return r, nil
}

// lasting returns a connection's body without its entity tag, which Azure changes
// with every write.
func lasting(body []byte) []byte {
	var members map[string]jsontext.Value
	if json.Unmarshal(body, &members) != nil {
		return body
	}
	delete(members, "etag")
	text, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return body
	}
	return text
}

// ending prints the ledgers and the balance.
func (d *demo) ending(r demoResult) {
	d.weights("at the end")
	for _, raw := range r.Operations {
		var op report.Operation
		if json.Unmarshal(raw, &op) != nil || op.Kind == "settle" {
			continue
		}
		fmt.Fprintf(d.out, "Recovery ledger of the %s %s to %s: %s, the other direction is %s\n", op.Kind, strings.Join(op.From, ", "), strings.Join(op.To, ", "), op.Result, op.Symmetry)
		fmt.Fprint(d.out, op.Ledger.Text(), "\n")
	}
	fmt.Fprintf(d.out, "ashburn was bad, on and off, for %.0f s; its busiest gateway lost packets for %.0f s of them.\n", r.LongSeconds, r.DeadSeconds)
	fmt.Fprintf(d.out, "PUTs by connection:")
	for _, name := range sortedKeys(r.Writes) {
		fmt.Fprintf(d.out, " %s %d", name, r.Writes[name])
	}
	fmt.Fprintf(d.out, "; of other groups: %d.\n", r.OtherPUTs)
	if r.Damped {
		fmt.Fprintln(d.out, "While ashburn flapped, failback was held by damping.")
	}
	if r.Restored {
		fmt.Fprintf(d.out, "All %d connections are byte for byte what they were.\n", len(d.before))
	} else {
		fmt.Fprintf(d.out, "NOT as before: %s\n", strings.Join(r.Differences, ", "))
	}
	fmt.Fprintf(d.out, "%d events, %d invocations, %.1f s of your time.\n", r.Events, r.Invocations, r.RealSeconds)
}
