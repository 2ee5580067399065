package sim

import "time"

// bucket is a token bucket over the fabric's time.
type bucket struct {
	size, refill float64 // tokens; tokens a second
	have         float64
	at           time.Time
}

func newBucket(size, refill float64) *bucket { return &bucket{size: size, refill: refill, have: size} }

// take takes one token. When there is none it returns how long until there is.
func (b *bucket) take(now time.Time) (left int, wait time.Duration) {
	if !b.at.IsZero() && now.After(b.at) {
		b.have = min(b.size, b.have+now.Sub(b.at).Seconds()*b.refill)
	}
	if b.at.IsZero() || now.After(b.at) {
		b.at = now
	}
	if b.have < 1 {
		return 0, time.Duration((1 - b.have) / b.refill * float64(time.Second))
	}
	b.have--
	return int(b.have), 0
}

// limits are the published buckets: of Resource Manager for each subscription,
// and of Microsoft.Network for five minutes.
type limits struct {
	writes, reads               map[string]*bucket
	networkWrites, networkReads *bucket
	writeSize, readSize         float64
}

func newLimits(o Options) *limits {
	size := func(n, usual int) float64 {
		if n == 0 {
			n = usual
		}
		return float64(n)
	}
	return &limits{
		writes: map[string]*bucket{}, reads: map[string]*bucket{},
		writeSize: size(o.WriteBudget, 200), readSize: size(o.ReadBudget, 250),
		networkWrites: newBucket(1000, 1000.0/300), networkReads: newBucket(10000, 10000.0/300),
	}
}

// take charges one request. POST that only reads counts as a write, as Resource
// Manager counts it.
func (l *limits) take(subscription string, write bool, now time.Time) (header string, left int, wait time.Duration) {
	pool, size, refill, rp := l.reads, l.readSize, 25.0, l.networkReads
	header = "x-ms-ratelimit-remaining-subscription-reads"
	if write {
		pool, size, refill, rp = l.writes, l.writeSize, 10, l.networkWrites
		header = "x-ms-ratelimit-remaining-subscription-writes"
	}
	b := pool[subscription]
	if b == nil {
		b = newBucket(size, refill)
		pool[subscription] = b
	}
	if left, wait = b.take(now); wait > 0 {
		return header, left, wait
	}
	if _, wait = rp.take(now); wait > 0 {
		b.have++
	}
	return header, left, wait
}
