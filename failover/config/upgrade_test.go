package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var keepConfig = flag.Bool("keep-config", false, "write a configuration with every key to testdata/upgrade, as this version's")

// keptConfig is the newest file of testdata/upgrade; files of older versions stay.
const keptConfig = "testdata/upgrade/v1.yaml"

// TestAnOldConfigurationIsReadWhole: a file of an earlier version, with every key that
// it knew, is read by this one without a problem, and every value that stands in it is
// there afterwards, at its own place.
func TestAnOldConfigurationIsReadWhole(t *testing.T) {
	if *keepConfig {
		if err := os.WriteFile(keptConfig, full(t).render(open), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("testdata/upgrade/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no kept configuration", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg, _, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, gone := range lost("", plain(t, text), plain(t, cfg.render(open))) {
			t.Errorf("%s: %s", file, gone)
		}
	}
}

func plain(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// lost lists what stands in before and does not in after.
func lost(at string, before, after any) []string {
	switch b := before.(type) {
	case map[string]any:
		a, _ := after.(map[string]any)
		var out []string
		for _, k := range slices.Sorted(maps.Keys(b)) {
			out = append(out, lost(at+"."+k, b[k], a[k])...)
		}
		return out
	case []any:
		a, _ := after.([]any)
		if len(a) != len(b) {
			return []string{fmt.Sprintf("%s: %v became %v", at, before, after)}
		}
		var out []string
		for i := range b {
			out = append(out, lost(fmt.Sprintf("%s[%d]", at, i), b[i], a[i])...)
		}
		return out
	}
	if !reflect.DeepEqual(before, after) {
		return []string{fmt.Sprintf("%s: %v became %v", at, before, after)}
	}
	return nil
}

// TestANewerKeyIsRefusedByName: a key of a newer version, at any place, is refused by
// its full name, with what to do; nothing of the file is half used.
func TestANewerKeyIsRefusedByName(t *testing.T) {
	whole, places := full(t).tree(open), 0
	var visit func(at string, v any)
	visit = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for i := range v {
				visit(fmt.Sprintf("%s[%d]", at, i), v[i])
			}
		case tree:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				visit(strings.TrimPrefix(at+"."+name, "."), v[name])
			}
			if slices.Contains([]string{"circuits", "groups", "drills"}, at) || strings.HasSuffix(at, ".baseline") {
				return // names of ours, not keys
			}
			places++
			v["a_newer_key"] = "x"
			text, err := yaml.Marshal(whole)
			delete(v, "a_newer_key")
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = Parse(text)
			var problems Invalid
			if !errors.As(err, &problems) || !slices.ContainsFunc(problems, func(p Problem) bool {
				return p.Key == strings.TrimPrefix(at+".a_newer_key", ".") && p.Got == unknownKey
			}) || !strings.Contains(err.Error(), "deploy that version first") {
				t.Errorf("%s: %v", at, err)
			}
		}
	}
	visit("", whole)
	if places < 20 {
		t.Errorf("%d places were tried", places)
	}
}
