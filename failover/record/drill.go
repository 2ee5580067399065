package record

import "time"

// DrillHow says how a group's part in a drill ended.
type DrillHow string

const (
	DrillHome      DrillHow = "home"      // traffic was taken home
	DrillOvertaken DrillHow = "overtaken" // real trouble took over
	DrillFailed    DrillHow = "failed"    // its move failed, and traffic never left home
	DrillUndone    DrillHow = "undone"    // others wrote the weights back while traffic was away
)

// DrillEnd is how the newest drill of a group ended.
type DrillEnd struct {
	ID  string    `json:"id"`
	How DrillHow  `json:"how"`
	At  time.Time `json:"at"`
	Why string    `json:"why,omitzero"` // a sentence

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}
