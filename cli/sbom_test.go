package cli

import (
	"bytes"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

func TestSBOM(t *testing.T) {
	info := func() *debug.BuildInfo {
		return &debug.BuildInfo{
			GoVersion: "go1.26.8 X:nodwarf5", Main: debug.Module{Path: "erfailover", Version: "(devel)"},
			Deps: []*debug.Module{
				{Path: "example.com/z", Version: "v1.0.0+incompatible", Sum: "h1:zzz="},
				{Path: "example.com/a", Version: "v2.0.0", Replace: &debug.Module{Path: "example.com/b", Version: "v2.0.1", Sum: "h1:bbb="}},
			},
			Settings: []debug.BuildSetting{
				{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "GOOS", Value: "linux"}, {Key: "-ldflags", Value: "-X secret=/home/me"},
			},
		}
	}
	first, err := writeBOM(info())
	if err != nil {
		t.Fatal(err)
	}
	second, err := writeBOM(info())
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("two runs differ (%v)", err)
	}
	changed := info()
	changed.Deps[0].Sum = "h1:yyy="
	third, err := writeBOM(changed)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bom
	if err := json.Unmarshal(first, &a, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(third, &b); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(a.Serial) || a.Serial == b.Serial {
		t.Errorf("serial numbers %s and %s, want two of the form of version 8", a.Serial, b.Serial)
	}
	var got []string
	for _, c := range a.Components {
		got = append(got, c.PURL)
	}
	want := []string{"pkg:golang/example.com/b@v2.0.1", "pkg:golang/example.com/z@v1.0.0%2Bincompatible", "pkg:golang/stdlib@1.26.8"}
	if !slices.Equal(got, want) || !slices.Equal(a.Dependencies[0].On, want) {
		t.Errorf("got %v and %v, want %v in both", got, a.Dependencies[0].On, want)
	}
	if p := a.Components[0].Properties; len(p) != 1 || p[0].Value != "h1:bbb=" {
		t.Errorf("got %v, want the sum of what was built in", p)
	}
	if a.Metadata.Timestamp != "2026-01-02T03:04:05Z" || a.Metadata.Component.PURL != "pkg:golang/erfailover" {
		t.Errorf("got %+v", a.Metadata)
	}
	if strings.Contains(string(first), "/home/me") {
		t.Error("a path of the build machine is in it")
	}
}

// TestSBOMRefuses: a file that is no program has no list.
func TestSBOMRefuses(t *testing.T) {
	c := sbomCommand()
	c.SetArgs([]string{"--binary", "sbom_test.go"})
	c.SilenceErrors, c.SilenceUsage = true, true
	if err := c.Execute(); err == nil {
		t.Error("a file that is no program was taken")
	}
}

// TestBuildSaysWhatItIs: version, commit and its date, and whether the tree had
// changes, from what the Go command stamps.
func TestBuildSaysWhatItIs(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "GOARCH", Value: "amd64"}, {Key: "GOOS", Value: "linux"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-02-11T03:04:05Z"}}}
	if got, want := readBuild(info), (build{"v1.2.3", "abc and changes that are not committed", "2026-02-11T03:04:05Z", "linux", "amd64"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := readBuild(&debug.BuildInfo{}); got.commit != "unknown" || got.date == "" {
		t.Errorf("without stamps: %+v", got)
	}
}
