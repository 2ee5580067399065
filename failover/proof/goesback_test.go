package proof

import (
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

// copies lays out a storage account that fails over to its copy, once: documents and
// journals come back from instants some seconds to minutes ago, not the same one.
func (w *world) copies() {
	if w.swarm.rates["record-goes-back"] == 0 {
		return
	}
	type copied struct {
		at    time.Time
		store *recordtest.Memory
	}
	var kept []copied
	when := origin.Add(3*time.Minute + w.span("copies", 0, "when", 0, w.swarm.chaos-4*time.Minute))
	for at := origin.Add(time.Minute); at.Before(when); at = at.Add(15 * time.Second) {
		w.at(at, func() { kept = append(kept, copied{w.now, w.store.Clone()}) })
	}
	w.at(when, func() {
		if w.allow != nil && !w.allow["copies/0/record-goes-back"] {
			return
		}
		w.fired = append(w.fired, "copies/0/record-goes-back")
		w.kinds["record-goes-back"]++
		back := func(purpose string) copied {
			age := w.span("copies", 0, purpose, 0, 5*time.Minute)
			n := len(kept) - 1
			for n > 0 && kept[n].at.After(w.now.Add(-age)) {
				n--
			}
			return kept[n]
		}
		docs, rows := back("documents"), back("rows")
		if w.draw("copies", 0, "one-instant")%3 == 0 {
			rows = docs
		}
		w.trace.note("the record goes back: documents to %s, journals to %s", docs.at.Sub(origin), rows.at.Sub(origin))
		w.trace.mark(mark{lane: "world", what: "fault", text: "the record goes back"})
		w.store.RestoreParts(docs.store, rows.store)
		w.judge.wentBack()
	})
}

// wentBack tells the oracles that the record is another one now: what they hold the
// engine to is what can still be known from it. Until no lost write can land any
// more, the protocol promises nothing about landings.
func (o *oracles) wentBack() {
	for _, p := range o.root.peers {
		p.rec = record.Group{}
		if doc, err := o.w.store.Load(o.ctx(), record.GroupKey(p.group.Name)); err == nil && json.Unmarshal(doc.Body, &p.rec) != nil {
			o.must("record", false, "the group's copy cannot be read")
		}
		for epoch := range p.decided {
			if epoch > p.rec.Epoch {
				delete(p.decided, epoch)
			}
		}
		p.last = p.rec.Epoch
		clear(p.ordered) // keys are lost: what is delivered again is carried out again
		p.auto, p.paused = nil, time.Time{}
		for _, gw := range p.group.Gateways {
			o.taint[gw] = true
		}
	}
	for id, in := range o.intents {
		in.lost = true
		o.intents[id] = in
	}
	o.heads = map[string]record.Head{}
	for _, stream := range o.w.store.Streams() {
		o.heads[stream] = o.head(stream)
	}
	clear(o.telling)
	clear(o.told)
	clear(o.forced)
	clear(o.memories)
	clear(o.heard)
	o.killed, o.backAt = time.Time{}, o.w.now
	var e record.Estate
	if doc, err := o.w.store.Load(o.ctx(), record.EstateKey); err == nil && json.Unmarshal(doc.Body, &e) == nil {
		o.stopped = e.Killed != nil
	}
	o.w.after(2*o.w.swarm.pace.Landing, func() { clear(o.taint) })
}
