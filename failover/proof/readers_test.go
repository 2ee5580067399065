package proof

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	readers = flag.Bool("readers", false, "put each bug of testdata/readers.txt into the code, and look who finds it")
	bug     = flag.String("bug", "", "with -readers: only bugs whose name holds this")
	hunting = flag.Bool("hunt", false, "look for the first thing that any part of the proof finds, and say it in one line")
)

// planted is one line of production code that a reader has spoiled.
type planted struct {
	name, file, was, is string
	harmless            string // why no run can tell it from the code that ships
	escapes             string // why nothing finds it yet
}

// plantedBugs reads testdata/readers.txt.
func plantedBugs(t *testing.T) []planted {
	text, err := os.ReadFile("testdata/readers.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []planted
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if key == "bug" {
			out = append(out, planted{name: value})
		}
		if len(out) == 0 {
			continue
		}
		b := &out[len(out)-1]
		switch key {
		case "file":
			b.file = value
		case "was":
			b.was = joined(b.was, value)
		case "is":
			b.is = joined(b.is, value)
		case "harmless":
			b.harmless = value
		case "escapes":
			b.escapes = value
		}
	}
	return out
}

// joined adds a line.
func joined(text, line string) string {
	if text == "" {
		return line
	}
	return text + "\n" + line
}

// plant writes the spoiled file, and returns where it would stand and where it is.
func (b planted) plant(t *testing.T) (original, spoiled string) {
	original, err := filepath.Abs(filepath.Join("..", b.file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), b.was); n != 1 {
		t.Fatalf("bug %q: %s has %q %d times, once is wanted", b.name, b.file, b.was, n)
	}
	spoiled = filepath.Join(t.TempDir(), filepath.Base(b.file))
	if err := os.WriteFile(spoiled, []byte(strings.Replace(string(text), b.was, b.is, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return original, spoiled
}

// hunt has the proof look for a bug in a binary that was built with it.
func (b planted) hunt(t *testing.T) string {
	original, spoiled := b.plant(t)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: spoiled}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "proof.test")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", file, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Errorf("bug %q does not compile: %s", b.name, out)
		return "it does not compile"
	}
	out, _ := exec.Command(binary, "-test.run", "^TestHunt$", "-test.v", "-hunt", "-seeds", strconv.FormatUint(*seeds, 10)).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if _, said, found := strings.Cut(strings.TrimSpace(line), "hunt: "); found {
			return said
		}
	}
	text := string(out)
	return "the process dies: " + text[:min(len(text), 300)]
}

// TestReaders looks that every bug of the list still fits the code; with -readers it
// plants each and prints what finds it.
func TestReaders(t *testing.T) {
	bugs := plantedBugs(t)
	if len(bugs) < 15 {
		t.Errorf("%d bugs", len(bugs))
	}
	for _, b := range bugs {
		if !*readers {
			b.plant(t)
			continue
		}
		if !strings.Contains(b.name, *bug) {
			continue
		}
		begin := time.Now()
		said := b.hunt(t)
		fmt.Fprintf(os.Stdout, "%-90s %s (%.0f s)\n", b.name, said, time.Since(begin).Seconds())
		if escaped := strings.HasPrefix(said, "nothing"); escaped != (b.harmless+b.escapes != "") {
			t.Errorf("bug %q: %s; harmless: %q", b.name, said, b.harmless)
		}
	}
}

// TestHunt is what a spoiled binary runs: all parts of the proof, in the order of
// what they cost, to the first finding.
func TestHunt(t *testing.T) {
	if !*hunting {
		return
	}
	said := ""
	look := func(from, n uint64) {
		sweepSeeds(from, n, nil, func(w *world) bool {
			if len(w.judge.found) > 0 {
				said = fmt.Sprintf("%s in seed %d: %s", w.judge.found[0].oracle, w.seed, w.judge.found[0].text)
			}
			return said == ""
		})
	}
	most := *seeds
	if most == 0 {
		most = leastSeeds
	}
	if look(*first, min(most, 30)); said != "" {
		t.Log("hunt: " + said)
		return
	}
	for _, r := range regressions(t) {
		if w := r.play(); !r.known && len(w.judge.found) > 0 {
			t.Logf("hunt: %s in the kept failure %s", w.judge.found[0].oracle, r.name)
			return
		}
	}
	for _, c := range corners() {
		sweepSeeds(cornerSeed, cornerSeeds, c.world, func(w *world) bool {
			if len(w.judge.found) > 0 {
				said = fmt.Sprintf("%s in corner %s, seed %d: %s", w.judge.found[0].oracle, c.name, w.seed, w.judge.found[0].text)
			}
			return said == ""
		})
		if said != "" {
			t.Log("hunt: " + said)
			return
		}
	}
	if most > 30 {
		look(*first+30, most-30)
	}
	if said == "" {
		if _, _, found := tales()[0].sweepDeaths(60, 8); len(found) > 0 {
			said = found[0].oracle + " in the story with deaths"
		}
	}
	if said == "" {
		said = fmt.Sprintf("nothing in %d seeds, the kept failures and the story with deaths", most)
	}
	t.Log("hunt: " + said)
}
