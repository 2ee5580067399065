package record

import (
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/policy"
)

// Cut is a lever that is pulled, or about to be: what is off, until when, and what
// puts it back. It is stored with its deadline before the pull is sent, and it goes
// when what was cut has been read back whole and no pull of it can land any more.
//
//	held ──deadline, order, drill over, trouble──▶ due ──put back, read back──▶ gone
//
// From Due on any instance puts it back, whatever became of the configuration, the
// operation, a pause or the kill switch.
type Cut struct {
	ID        string             `json:"id"`             // "c-" and a hash
	Operation string             `json:"operation"`      // that pulled it
	Drill     string             `json:"drill,omitzero"` // ID of the drill that it belongs to
	Lever     policy.Lever       `json:"lever"`          //
	Circuits  []string           `json:"circuits"`       // circuits of the group that are cut off
	Survivors []string           `json:"survivors"`      // circuits that carry meanwhile
	Link      string             `json:"link,omitzero"`  // lever link: the link that is cut
	At        time.Time          `json:"at"`             // when it was stored, before the pull
	Deadline  time.Time          `json:"deadline"`       // it is put back after this
	Due       time.Time          `json:"due,omitzero"`   // since when it is being put back; zero while it is held
	Why       string             `json:"why,omitzero"`   // why it is put back
	Over      time.Time          `json:"over,omitzero"`  // since when no pull of it can land any more, seen after it was due
	Gone      time.Time          `json:"gone,omitzero"`  // when it was read back whole
	Pull      executor.StepState `json:"pull"`           // as the operation knew it last
	Back      executor.StepState `json:"back"`           // the way back
	Stuck     time.Time          `json:"stuck,omitzero"` // when a person was told that it does not go back

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// Effective reports whether the cut is known to be in place: its circuits carry
// nothing for its gateway.
func (c Cut) Effective() bool {
	return c.Lever != policy.LeverLink && c.Gone.IsZero() && c.Pull.Phase == executor.Done && c.Back.Phase != executor.Done
}

// Held reports whether the lever is pulled and not yet to be put back.
func (c Cut) Held(now time.Time) bool { return c.Due.IsZero() && now.Before(c.Deadline) }
