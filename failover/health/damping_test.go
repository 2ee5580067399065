package health

import (
	"testing"
	"time"
)

// TestDampingHolds checks that a circuit stays damped between Suppress and Reuse,
// also when it flaps again there, and that Max holds when the numbers changed.
func TestDampingHolds(t *testing.T) {
	d, now := DefaultDamping(), night
	track := Track{Penalty: 800, PenaltyAt: now, Damped: true}
	if track = d.settle(d.flap(track, now), now); !track.Damped || track.Penalty != 1800 {
		t.Fatalf("%+v, want damped still", track)
	}
	if free := d.flap(Track{Penalty: 800, PenaltyAt: now}, now); free.Damped {
		t.Fatalf("%+v is damped below suppress", free)
	}
	d.Max = time.Minute // the rule was changed while a high penalty is stored
	if at := d.reuseAt(track); !at.Equal(now.Add(time.Minute)) {
		t.Fatalf("reuse at %s, want a minute after the last flap", at)
	}
	if d.Penalty = 0; d.settle(track, now).Damped {
		t.Fatal("damped although damping is off")
	}
}

// TestOtherGroupsCount checks that a circuit outside the group counts for the
// provider's mark by what its own group believes, and one inside only by its own.
func TestOtherGroupsCount(t *testing.T) {
	w := newWorld()
	w.group.Tiers = [][]string{{"ashburn"}}
	down := Track{State: Down}
	w.memories["ashburn"] = Memory{Tracks: map[string]Track{"east": down}}
	w.memories["chicago"] = Memory{Tracks: map[string]Track{"west": down}}
	if v := Fold(w.group, w.est, w.memories, w.rule, night); !v.Providers["Equinix"] || len(v.Circuits) != 1 {
		t.Fatalf("%+v, want Equinix marked", v)
	}
	w.memories["ashburn"] = Memory{Tracks: map[string]Track{"east": {State: Healthy}, "west": down}}
	if v := Fold(w.group, w.est, w.memories, w.rule, night); len(v.Providers) > 0 {
		t.Fatalf("%+v, want nothing marked", v)
	}
}
