package drill

import (
	"fmt"
	"slices"
	"time"

	"erfailover/failover/record"
)

// keptSamples bounds the looks at one circuit's counters that a run keeps. When there
// are more, every second one goes: the first and the newest stay.
const keptSamples = 60

// Sample is one look at the byte counters of a circuit.
type Sample struct {
	Circuit string    `json:"circuit"`
	At      time.Time `json:"at"`
	In      int64     `json:"in"`  // bytes from on-premises, both links
	Out     int64     `json:"out"` // bytes to on-premises, both links
}

// Watched returns the circuits whose counters a run looks at: those that its plans
// leave, and those that take over.
func Watched(r Run) []string {
	var out []string
	for _, p := range r.Plans {
		for _, c := range slices.Concat(p.From, p.To) {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// sampled adds what the counters say now.
func sampled(kept []Sample, r Run, now map[string]record.TrafficReading) []Sample {
	out := slices.Clone(kept)
	for _, name := range Watched(r) {
		read, told := now[name]
		if !told {
			continue
		}
		var own []Sample
		for _, s := range out {
			if s.Circuit == name {
				own = append(own, s)
			}
		}
		if n := len(own); n > 0 && read.At.Sub(own[n-1].At) <= own[n-1].At.Sub(own[0].At)/keptSamples {
			continue // known, or closer than the looks of a long run are kept
		}
		own = append(own, Sample{name, read.At, read.Bytes.In[0] + read.Bytes.In[1], read.Bytes.Out[0] + read.Bytes.Out[1]})
		if len(own) > keptSamples {
			thin := own[:0:0]
			for i, s := range own {
				if i%2 == 0 || i == len(own)-1 {
					thin = append(thin, s)
				}
			}
			own = thin
		}
		out = append(slices.DeleteFunc(out, func(s Sample) bool { return s.Circuit == name }), own...)
	}
	return out
}

// slice is one circuit's traffic as bars: how much it carried between two looks.
type slice struct {
	Circuit string
	Bars    []sliceBar
	Marks   []sliceMark
	Most    string // what the highest bar stands for
	Text    string // the same in words
}

type sliceBar struct{ X, W, Y, H float64 }

type sliceMark struct {
	X    float64
	Name string
}

// Measures of the drawn bars, in units of their view box.
const (
	sliceWide = 800.0
	sliceHigh = 60.0
)

// slices lays the traffic of each circuit along the same time, and to the same scale.
func (r Report) slices() []slice {
	var first, last time.Time
	most := 0.0
	rates := map[string][]float64{}
	at := map[string][]Sample{}
	for _, s := range r.Run.Traffic {
		if first.IsZero() || s.At.Before(first) {
			first = s.At
		}
		if s.At.After(last) {
			last = s.At
		}
		if own := at[s.Circuit]; len(own) > 0 {
			before := own[len(own)-1]
			bytes, span := s.In-before.In+s.Out-before.Out, s.At.Sub(before.At).Seconds()
			rate := 0.0
			if bytes > 0 && span > 0 { // counters that went back were reset
				rate = float64(bytes) * 8 / span
			}
			rates[s.Circuit] = append(rates[s.Circuit], rate)
			most = max(most, rate)
		}
		at[s.Circuit] = append(at[s.Circuit], s)
	}
	whole := last.Sub(first).Seconds()
	if whole <= 0 || most == 0 {
		return nil
	}
	x := func(t time.Time) float64 { return sliceWide * t.Sub(first).Seconds() / whole }
	var out []slice
	for _, name := range Watched(r.Run) {
		own := at[name]
		if len(own) < 2 {
			continue
		}
		one := slice{Circuit: name, Most: bits(most)}
		for i, rate := range rates[name] {
			h := sliceHigh * rate / most
			one.Bars = append(one.Bars, sliceBar{X: x(own[i].At), W: max(x(own[i+1].At)-x(own[i].At)-1, 1), Y: sliceHigh - h, H: h})
		}
		for _, m := range []struct {
			name string
			at   time.Time
		}{{"moved", r.Run.HeldAt}, {"way home", r.Run.ReturnAt}} {
			if !m.at.IsZero() && !m.at.Before(first) && !m.at.After(last) {
				one.Marks = append(one.Marks, sliceMark{x(m.at), m.name})
			}
		}
		one.Text = r.spell(name, own, rates[name])
		out = append(out, one)
	}
	return out
}

// spell says what a circuit carried before, during and after.
func (r Report) spell(name string, own []Sample, rates []float64) string {
	var sum, long [3]float64
	for i, rate := range rates {
		k, span := 0, own[i+1].At.Sub(own[i].At)
		switch middle := own[i].At.Add(span / 2); {
		case !r.Run.ReturnAt.IsZero() && !middle.Before(r.Run.ReturnAt):
			k = 2
		case !r.Run.HeldAt.IsZero() && !middle.Before(r.Run.HeldAt):
			k = 1
		}
		sum[k], long[k] = sum[k]+rate*span.Seconds(), long[k]+span.Seconds()
	}
	say := func(k int) string {
		if long[k] == 0 {
			return "not looked at"
		}
		return bits(sum[k] / long[k])
	}
	return fmt.Sprintf("%s: %s before traffic was held, %s while it was, %s after", name, say(0), say(1), say(2))
}

// bits renders a rate for people.
func bits(rate float64) string {
	switch {
	case rate >= 1e9:
		return fmt.Sprintf("%.1f Gbit/s", rate/1e9)
	case rate >= 1e6:
		return fmt.Sprintf("%.1f Mbit/s", rate/1e6)
	case rate >= 1e3:
		return fmt.Sprintf("%.1f kbit/s", rate/1e3)
	}
	return fmt.Sprintf("%.0f bit/s", rate)
}
