package telemetry

import (
	"os"
	"regexp"
	"testing"
)

// names returns every instrument and attribute that the program's code names.
func names(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, file := range []string{"../trace/trace.go", "../traced.go", "../../handlers/traced.go", "../../handlers/metrics.go", "telemetry.go", "network.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"((?:erfailover|faas|http|az|azure|error)\.[\w.]*\w)"`).FindAllSubmatch(b, -1) {
			out = append(out, string(m[1]))
		}
	}
	if len(out) < 30 {
		t.Fatalf("only %d names were found", len(out))
	}
	return out
}
