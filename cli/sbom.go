package cli

import (
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
)

// The parts of CycloneDX 1.6 that are written: https://cyclonedx.org/docs/1.6/json
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Serial       string       `json:"serialNumber,omitzero"` // a hash of all the rest: equal content has an equal number
		Version      int          `json:"version"`
		Metadata     bomMetadata  `json:"metadata"`
		Components   []bomPart    `json:"components"`
		Dependencies []bomDepends `json:"dependencies"`
	}
	bomMetadata struct {
		Timestamp string  `json:"timestamp,omitzero"` // of the commit, not of the run
		Component bomPart `json:"component"`
	}
	bomPart struct {
		Type       string        `json:"type"`
		Ref        string        `json:"bom-ref"`
		Name       string        `json:"name"`
		Version    string        `json:"version,omitzero"`
		PURL       string        `json:"purl"`
		Properties []bomProperty `json:"properties,omitempty"`
	}
	bomProperty struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	bomDepends struct {
		Ref string   `json:"ref"`
		On  []string `json:"dependsOn,omitempty"`
	}
)

// kept are the build settings that tell two builds apart and hold no path.
var kept = [...]string{"-buildmode", "-race", "-tags", "-trimpath", "CGO_ENABLED", "GOAMD64", "GOARCH", "GOEXPERIMENT", "GOFIPS140", "GOOS", "vcs.modified", "vcs.revision", "vcs.time"}

// sbomCommand lists what a program was built from.
func sbomCommand() *cobra.Command {
	var binary, out string
	c := &cobra.Command{
		Use:   "sbom",
		Short: "List the modules that this program was built from, as CycloneDX",
		Long: `List the modules that this program was built from, as CycloneDX 1.6 in JSON.

It is read from the program itself: module paths, versions, and the sums of go.sum
as the property erfailover:go.sum. The same program gives the same bytes. Build
information has no graph, so every module is listed as a direct dependency, and no
licences.`,
		Example: `  erfailover sbom --binary dist/erfailover --out dist/erfailover.cdx.json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := buildInfo(binary)
			if err != nil {
				return err
			}
			text, err := writeBOM(info)
			if err != nil {
				return err
			}
			if out != "" {
				return os.WriteFile(out, text, 0o644)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&binary, "binary", "", "the program to look at (default: this one)")
	f.StringVar(&out, "out", "", "the file to write (default: standard output)")
	return c
}

// buildInfo reads what the linker wrote into a program; "" is this one.
func buildInfo(name string) (*debug.BuildInfo, error) {
	if name != "" {
		info, err := buildinfo.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read build information: %w", err)
		}
		return info, nil
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, errors.New("this program carries no build information")
	}
	return info, nil
}

// writeBOM renders a bill of materials. The same build information gives the same bytes.
func writeBOM(info *debug.BuildInfo) ([]byte, error) {
	app := bomPart{Type: "application", Name: info.Main.Path, Version: info.Main.Version, PURL: purl(info.Main.Path, info.Main.Version)}
	app.Ref = app.PURL
	b := bom{Format: "CycloneDX", Spec: "1.6", Version: 1}
	for _, s := range info.Settings {
		if slices.Contains(kept[:], s.Key) {
			app.Properties = append(app.Properties, bomProperty{"erfailover:build:" + s.Key, s.Value})
		}
		if s.Key == "vcs.time" {
			b.Metadata.Timestamp = s.Value
		}
	}
	slices.SortFunc(app.Properties, func(a, b bomProperty) int { return strings.Compare(a.Name, b.Name) })
	b.Metadata.Component = app
	goVersion, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ") // "go1.26.8 X:..." names experiments
	b.Components = append(b.Components, part("stdlib", goVersion, ""))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, part(m.Path, m.Version, m.Sum))
	}
	slices.SortFunc(b.Components, func(a, b bomPart) int { return strings.Compare(a.Ref, b.Ref) })
	all := bomDepends{Ref: app.Ref}
	for _, c := range b.Components {
		all.On = append(all.On, c.Ref)
	}
	b.Dependencies = []bomDepends{all}
	bare, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	b.Serial = serial(bare)
	text, err := json.Marshal(b, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// part is one module. Its sum is the hash of go.sum, over the list of the module's
// files: it is no hash of an archive, and so stands in a property.
func part(path, version, sum string) bomPart {
	p := bomPart{Type: "library", Name: path, Version: version, PURL: purl(path, version)}
	p.Ref = p.PURL
	if sum != "" {
		p.Properties = []bomProperty{{"erfailover:go.sum", sum}}
	}
	return p
}

// purl names a Go module as a package URL.
func purl(path, version string) string {
	if version == "" || strings.HasPrefix(version, "(") { // "(devel)"
		return "pkg:golang/" + path
	}
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// serial makes a UUID of version 8 (RFC 9562) out of content.
func serial(content []byte) string {
	sum := sha256.Sum256(content)
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
