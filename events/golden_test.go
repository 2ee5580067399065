package events

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// testNow is when the bodies of the tests were received.
var testNow = time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC)

// TestGolden reads every body in testdata/bodies and prints what came of it. The
// command is `parse FILE`; `body` takes the text below it instead.
func TestGolden(t *testing.T) {
	named := map[string]bool{}
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			raw := []byte(d.Input)
			if d.Cmd == "parse" {
				name := d.CmdArgs[0].Key
				named[name] = true
				var err error
				if raw, err = os.ReadFile(filepath.Join("testdata/bodies", name)); err != nil {
					d.Fatalf(t, "%v", err)
				}
			}
			return printBatch(Parse(raw, testNow))
		})
	})
	all, err := filepath.Glob("testdata/bodies/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if !named[filepath.Base(path)] {
			t.Errorf("%s has no golden", path)
		}
	}
}

// printBatch prints a batch, one line for each signal, foreign and broken record.
func printBatch(b Batch) string {
	var out strings.Builder
	fmt.Fprintf(&out, "records %d: read %d, foreign %d, broken %d\n", b.Records, b.Read, len(b.Foreign), len(b.Broken))
	for _, s := range b.Signals {
		out.WriteString(printSignal(s) + "\n")
	}
	for _, f := range b.Foreign {
		fmt.Fprintf(&out, "foreign %s: %s\n", f.Format, f.Why)
	}
	for _, e := range b.Broken {
		fmt.Fprintf(&out, "broken %v; %d bytes\n", e, e.Size)
	}
	return out.String()
}

// printSignal prints all that a signal holds.
func printSignal(s Signal) string {
	id, _ := ParseResourceID(s.Resource)
	name := id.Name()
	if name == "" {
		name = "subscription " + id.Subscription[len(id.Subscription)-4:]
	}
	parts := []string{string(s.Kind), string(s.Observer), fmt.Sprintf("%q", s.Source), name}
	add := func(ok bool, format string, v any) {
		if ok {
			parts = append(parts, fmt.Sprintf(format, v))
		}
	}
	if s.Kind == Health {
		state := string(s.State)
		if state == "" {
			state = "unknown"
		}
		parts = append(parts, strings.ToUpper(state))
	}
	add(s.Link != "", "link=%s", s.Link)
	add(s.Peering != "", "peering=%s", s.Peering)
	add(s.Plane != "", "plane=%s", s.Plane)
	add(s.Tentative, "%s", "tentative")
	add(s.UserAction, "%s", "user-action")
	if s.Value != nil {
		parts = append(parts, fmt.Sprintf("value=%g", *s.Value))
	}
	if s.Window != nil {
		parts = append(parts, fmt.Sprintf("window=%s..%s cancelled=%v region=%q", s.Window.Start.Format(time.RFC3339), s.Window.End.Format(time.RFC3339),
			s.Window.Cancelled, s.Window.Region))
	}
	add(s.Actor != "", "actor=%s", s.Actor)
	if s.Weight != nil {
		parts = append(parts, fmt.Sprintf("weight=%d", *s.Weight))
	}
	parts = append(parts, "at="+s.At.Format(time.RFC3339Nano))
	add(s.Correlation != "", "correlation=%s", s.Correlation)
	add(s.Detail != "", "detail=%q", s.Detail)
	return strings.Join(append(parts, s.ID), " ")
}
