package record

import "time"

// Rights is the document of what the identity was last seen not to hold, so that
// instances which start together ask Azure once.
type Rights struct {
	Schema  int       `json:"schema"`
	Config  string    `json:"config"` // hash of the configuration that it was compared with
	At      time.Time `json:"at"`
	Missing []string  `json:"missing,omitempty"` // actions that are needed and not held everywhere
	Unknown []string  `json:"unknown,omitempty"` // actions of which that could not be learned
}

// RightsKey is the key of the document of rights.
const RightsKey = "rights"
