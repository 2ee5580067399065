package bench

import (
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	report = flag.Bool("report", false, "measure the program as a whole and print the table of docs/performance.md")
	rounds = flag.Int("rounds", 21, "how often each is measured, taking turns")
)

// row is one line of the table.
type row struct{ what, aim, program, plain, ratio string }

// TestReport prints the table. It fails when something cannot be measured, never
// because it was slow.
func TestReport(t *testing.T) {
	if !*report {
		return
	}
	program, plain := build(t, "erfailover"), build(t, "./testdata/bare")
	rows := slices.Concat(startRows(t, program, plain), writeRows(t, program), envelopeRows(t), sizeRows(t, program))
	fmt.Printf("\n%s, %d cores, %s, %s\n\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format("2006-01-02"), processor())
	fmt.Println("| what | aim | program | plainest | ratio |\n|---|---|---:|---:|---:|")
	for _, r := range rows {
		fmt.Printf("| %s | %s | %s | %s | %s |\n", r.what, r.aim, r.program, r.plain, r.ratio)
	}
	fmt.Println("\nmodules in the binary:", strings.Join(modules(t, program), ", "))
}

// startRows measures start to first 200, and memory.
func startRows(t *testing.T, program, plain string) []row {
	e := newEstate(t, 3)
	var ours, theirs []time.Duration
	var atReady, later, bareMemory []float64
	for i := range *rounds {
		b := start(t, plain, nil, nil)
		b.stop()
		p := start(t, program, []string{"handler"}, e.env(t, fmt.Sprintf("start-%d", i), 3))
		time.Sleep(300 * time.Millisecond) // token and TLS are fetched by now
		later = append(later, p.resident(t))
		p.stop()
		ours, theirs = append(ours, p.ready), append(theirs, b.ready)
		atReady, bareMemory = append(atReady, p.rss), append(bareMemory, b.rss)
	}
	mib := func(v []float64) string { return fmt.Sprintf("%.1f MiB", median(v)) }
	return []row{
		{"start to first 200, against bare net/http", "<= 1.5x", ms(median(ours)), ms(median(theirs)), times(median(ours), median(theirs))},
		{"resident memory at the first 200", "<= 16 MiB", mib(atReady), mib(bareMemory), ""},
		{"resident memory once token and TLS are there", "", mib(later), "", ""},
	}
}

// writeRows measures the way from an event to a write.
func writeRows(t *testing.T, program string) []row {
	ours, theirs := measureWrites(t, program, *rounds)
	return []row{{"deciding event received to first PUT at ARM, against a bare GET and PUT", "", ms(ours), ms(theirs), times(ours, theirs)}}
}

// envelopeRows measures the decode of a batch in processor time, collector included.
func envelopeRows(t *testing.T) []row {
	body, records := batch()
	program, plain := ours(t, body), bare(t, body)
	var us, them []time.Duration
	for range *rounds {
		for _, side := range []struct {
			run  func() int
			into *[]time.Duration
		}{{program, &us}, {plain, &them}} {
			runtime.GC()
			before := processorTime(t)
			if n := side.run(); n != records {
				t.Fatalf("read %d records of %d", n, records)
			}
			*side.into = append(*side.into, processorTime(t)-before)
		}
	}
	what := fmt.Sprintf("%.1f MB envelope, %d events, %d records: to signals, against encoding/json to structs", float64(len(body))/1e6, batchEvents, records)
	return []row{{what, ">= 5x", ms(median(us)), ms(median(them)), times(median(them), median(us)) + " faster"}}
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sizeRows looks at the binary.
func sizeRows(t *testing.T, program string) []row {
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	return []row{{"stripped binary", "<= 20 MB", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), "", ""}}
}

// modules lists what is linked in.
func modules(t *testing.T, program string) []string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range info.Deps {
		out = append(out, d.Path+" "+d.Version)
	}
	return out
}

// processor names the processor, where the system tells it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, " \t:\n")
		}
	}
	return runtime.GOARCH
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }

func times(a, b time.Duration) string { return fmt.Sprintf("%.1fx", float64(a)/float64(b)) }
