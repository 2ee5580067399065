// Package sim is an estate in memory: circuits, gateways, connections and the
// traffic between them, with a REST face like Azure Resource Manager's and faults
// by script.
//
//	Spec ──▶ Fabric ◀── setters: cut a link, withdraw BGP, lose packets
//	            │
//	            ├── Carrying, LossAt, Flow     what the traffic does now
//	            └── ARM ◀── Rule, Fault        HTTPS on loopback
//	            Identity                       managed identity stand-in
//
// The Fabric is state and nothing else: it reads no clock, starts no goroutine
// and sets no timer. Every call takes now, and operations land when the state is
// next touched with a later now. A seed and a sequence of calls give the same
// estate, byte for byte. Fabric and ARM are safe for concurrent use.
//
// Behaviour that public documents do not settle is chosen to be the hard case:
// a full-replacement PUT, one write at a time on a gateway, a no-op PUT whose
// operation never ends.
package sim
