package sim

// Identity is a stand-in for the managed identity endpoint of a function app.
type Identity struct{}

// NewIdentity starts a stand-in on loopback.
func NewIdentity() (*Identity, error) { return &Identity{}, nil }

// Env returns IDENTITY_ENDPOINT and IDENTITY_HEADER as "NAME=value".
func (i *Identity) Env() []string { return nil }

// Refuse lets every later request for a token fail with 401, or ends that.
func (i *Identity) Refuse(on bool) {}

// Served returns how many tokens were given out.
func (i *Identity) Served() int { return 0 }

// Close stops it.
func (i *Identity) Close() error { return nil }
