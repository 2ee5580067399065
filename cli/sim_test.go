package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSimCompare(t *testing.T) {
	chart := filepath.Join(t.TempDir(), "chart.svg")
	run := func(args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		code := Main(Assets{}, append([]string{"sim", "compare"}, args...), &out, &errs)
		return out.String(), errs.String(), code
	}
	out, errs, code := run("--seed", "5", "--years", "3", "--policy", "routing alone", "--policy", "score and four gates", "--svg", chart)
	if code != exitDone || !strings.Contains(out, "3 simulated years, seed 5") || !strings.Contains(out, "on a dead path, min/year") {
		t.Fatalf("code %d, errors %q, output\n%s", code, errs, out)
	}
	if svg, err := os.ReadFile(chart); err != nil || !bytes.Contains(svg, []byte("score and four gates")) {
		t.Errorf("chart: %v", err)
	}
	first, errs, code := run("--seed", "5", "--years", "3", "--policy", "score and four gates", "--json")
	if code != exitDone {
		t.Errorf("code %d, %s", code, errs)
	}
	again, _, _ := run("--seed", "5", "--years", "3", "--policy", "score and four gates", "--json")
	if first != again || !strings.Contains(first, `"ToReturn"`) {
		t.Errorf("the same seed printed\n%s\nand\n%s", first, again)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := compare(ctx, 1, 1000, []string{"routing alone"}); err == nil {
		t.Error("an interrupt does not end it")
	}
	for _, bad := range [][]string{{"--years", "0"}, {"--policy", "wishful thinking"}, {"more"}} {
		if _, errs, code := run(bad...); code != exitUsage {
			t.Errorf("%v: code %d, %s", bad, code, errs)
		}
	}
}
