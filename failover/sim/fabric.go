package sim

import (
	"sync"
	"time"
)

// Fabric is the estate: pure state, moved forward by the now of each call.
type Fabric struct {
	mu       sync.Mutex
	requests []Request
	landings []Landing
}

// NewFabric returns an estate as described. A connection to a gateway or circuit
// that the spec does not have, a doubled ID or a weight out of range is an error.
func NewFabric(s Spec) (*Fabric, error) { return &Fabric{}, nil }

// lock takes the mutex and moves the estate forward to now.
func (f *Fabric) lock(now time.Time) { f.mu.Lock() }

// Carrying returns the IDs of the circuits that carry a gateway's traffic to
// on-premises now, sorted; empty when nothing does.
func (f *Fabric) Carrying(gateway string, now time.Time) []string { return nil }

// LossAt returns the share of a gateway's traffic to on-premises that is lost
// now, 0 to 1.
func (f *Fabric) LossAt(gateway string, now time.Time) float64 { return 0 }

// Weight returns a connection's effective routing weight, and false when there
// is no such connection.
func (f *Fabric) Weight(connection string, now time.Time) (int32, bool) { return 0, false }

// SetLink brings a link's line up or down. BGP goes with it.
func (f *Fabric) SetLink(circuit string, l Link, up bool, now time.Time) {}

// SetBGP brings a link's BGP session up or down.
func (f *Fabric) SetBGP(circuit string, l Link, up bool, now time.Time) {}

// SetLoss sets a link's packet loss, 0 to 1; routes are kept.
func (f *Fabric) SetLoss(circuit string, l Link, loss float64, now time.Time) {}

// ForeignWrite changes a connection's weight behind everybody's back, at once.
func (f *Fabric) ForeignWrite(connection string, weight int32, now time.Time) {}
