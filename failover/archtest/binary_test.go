package archtest

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// unlinked names modules, by prefix, that must not reach the binary, each with the
// reason.
var unlinked = map[string]string{
	"github.com/bytedance/sonic":              "assembler that lags behind Go releases; json/v2 is what we use",
	"github.com/apache/arrow":                 "2.2 MB and a slower start, for a query that we never send: pin azblob at 1.8.0",
	"github.com/Azure/azure-event-hubs-go/v3": "deprecated; azeventhubs/v2 is what we use",
	"github.com/Azure/go-autorest/autorest":   "deprecated; azcore is what we use",
	"github.com/cockroachdb/datadriven":       "tests only",
	"pgregory.net/rapid":                      "tests only",
	"go.uber.org/goleak":                      "tests only",
	"github.com/anishathalye/porcupine":       "tests only",
	"github.com/chromedp/chromedp":            "tests only",
	"google.golang.org/grpc":                  "OpenTelemetry's own exporters pull it: 6 MB and a slower start; failover/telemetry writes OTLP itself (docs/decisions/0010)",
	"gopkg.in/yaml.v3":                        "unmaintained; go.yaml.in/yaml/v3 is what we use",
}

// TestBinaryLinksNoStranger looks at what the program links.
func TestBinaryLinksNoStranger(t *testing.T) {
	// Opened so that a cached result is not kept when the versions change.
	if _, err := os.ReadFile(root + "/go.mod"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	mods := strings.Fields(string(out))
	if !slices.Contains(mods, module) {
		t.Fatalf("go list does not name %s: the list is broken", module)
	}
	for _, breach := range strangers(mods) {
		t.Error(breach)
	}
}

// strangers lists the refused modules among mods.
func strangers(mods []string) []string {
	var out []string
	for _, m := range slices.Compact(slices.Sorted(slices.Values(mods))) {
		for bad, why := range unlinked {
			if strings.HasPrefix(m, bad) {
				out = append(out, m+" is linked: "+why)
			}
		}
	}
	return out
}
