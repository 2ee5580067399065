package record

import "time"

// Measured is a circuit's document of measured things: what it announces and how much
// it carries. It has no journal: it is measured anew, and a guard that lacks it has no
// objection.
type Measured struct {
	Schema  int                  `json:"schema"`
	Circuit string               `json:"circuit"`
	Tables  map[string]LinkTable `json:"tables,omitempty"`  // by link
	Traffic *TrafficReading      `json:"traffic,omitempty"` // newest look at the byte counters
	Rates   []Rate               `json:"rates,omitempty"`   // newest first, at most 12
	Newer   Newer                `json:",embed"`
}

// LinkTable is what on-premises announces over one link.
type LinkTable struct {
	At       time.Time `json:"at"`
	Asked    time.Time `json:"asked,omitzero"` // the newest question, whether it was answered or not
	Prefixes []string  `json:"prefixes,omitempty"`
}

// Rate is how much a circuit carried between two looks at its counters.
type Rate struct {
	At   time.Time `json:"at"` // of the later look
	Bits int64     `json:"bits_per_second"`
}

// MeasuredKey returns the key of a circuit's measured things.
func MeasuredKey(name string) string { return measuredPrefix + name }
