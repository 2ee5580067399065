package contest

import (
	"math"
	"time"
)

// Streams of random numbers. Each place that draws has its own, so that one draw
// more in one place changes nothing in another.
const (
	drawGap uint64 = iota + 1
	drawLength
	drawShape
	drawLoss
	drawTry
	drawDelay
	drawLand
	drawRead
	drawPick
)

// roll returns 64 random bits that depend on nothing but its arguments.
func roll(seed uint64, parts ...uint64) uint64 {
	x := seed + 0x9e3779b97f4a7c15
	for _, p := range parts {
		x = mix(x ^ mix(p+0x9e3779b97f4a7c15))
	}
	return mix(x)
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit maps random bits to [0, 1).
func unit(bits uint64) float64 { return float64(bits>>11) / (1 << 53) }

// between draws from a span.
func between(span [2]time.Duration, bits uint64) time.Duration {
	return span[0] + time.Duration(unit(bits)*float64(span[1]-span[0]))
}

// wait draws from an exponential distribution.
func wait(perYear float64, bits uint64) time.Duration {
	return time.Duration(-math.Log(1-unit(bits)) / perYear * float64(year))
}

// lognormal draws a duration around a median, at least a second and at most a day.
func lognormal(median time.Duration, sigma float64, a, b uint64) time.Duration {
	z := math.Sqrt(-2*math.Log(1-unit(a))) * math.Cos(2*math.Pi*unit(b))
	d := time.Duration(float64(median) * math.Exp(sigma*z)).Truncate(time.Second)
	return min(max(d, time.Second), 24*time.Hour)
}

// year is the length of a simulated year.
const year = 365 * 24 * time.Hour
