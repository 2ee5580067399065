package record

import "time"

// Watch is the document of what Azure's monitoring was asked. Whoever saves a look in
// it makes that look, so instances share the work. It has no journal: trouble is
// journaled with the estate.
type Watch struct {
	Schema  int                  `json:"schema"`
	Asked   map[string]time.Time `json:"asked,omitempty"`   // by circuit: the newest look at its metrics and Resource Health
	Planned time.Time            `json:"planned,omitzero"`  // the newest look at planned work
	Trouble map[string]Trouble   `json:"trouble,omitempty"` // by what is asked: metrics, resource-health, planned-work
}

// Trouble is what could not be read, look after look.
type Trouble struct {
	Since time.Time `json:"since"`
	Looks int       `json:"looks"`         // that failed in a row
	Why   string    `json:"why"`           //
	Told  bool      `json:"told,omitzero"` // it is in the journal
}

// WatchKey is the key of that document.
const WatchKey = "watch"
