package archtest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestImportsFollowTheArrow holds the table.
func TestImportsFollowTheArrow(t *testing.T) { hold(t, shipped(t), arrow) }

// TestTableIsHonest fails on a row without a package and on a planned row whose
// package exists.
func TestTableIsHonest(t *testing.T) {
	exists := packages(shipped(t))
	for _, breach := range honest(table, func(p string) bool { return len(exists[p]) > 0 }) {
		t.Error(breach)
	}
}

// arrow checks one file's imports against its package's row.
func arrow(f *file) []string {
	r, listed := table[f.pkg]
	if !listed {
		return []string{f.name + ": package " + f.pkg + " is not in the table: decide what it may import"}
	}
	var out []string
	for _, spec := range f.ast.Imports {
		p := strings.Trim(spec.Path.Value, "`\"")
		bad := func(why string) {
			out = append(out, fmt.Sprintf("%s: %s imports %s: %s", f.at(spec.Pos()), f.pkg, p, why))
		}
		if spec.Name != nil && spec.Name.Name == "." {
			bad("a dot import hides where a name comes from")
		}
		first, _, _ := strings.Cut(p, "/")
		switch {
		case p == module || first == module:
			if !covers(r.ours, relative(p), true) {
				bad("the arrow does not point that way")
			}
		case strings.Contains(first, "."):
			if !covers(r.others, p, false) {
				bad("its row does not name that module")
			}
			for mod, who := range owners {
				if within(p, mod) && !slices.Contains(who, f.pkg) {
					bad("only " + strings.Join(who, ", ") + " may")
				}
			}
		}
	}
	return out
}

// relative turns an import path of ours into a key of the table.
func relative(p string) string {
	if p == module {
		return "."
	}
	return strings.TrimPrefix(p, module+"/")
}

// covers tells whether list allows p, exactly or by prefix.
func covers(list []string, p string, exactly bool) bool {
	return slices.ContainsFunc(list, func(have string) bool {
		return have == everything || have == p || !exactly && within(p, have)
	})
}

// within tells whether import path p is mod or lies in it.
func within(p, mod string) bool { return p == mod || strings.HasPrefix(p, mod+"/") }

// honest compares a table with what exists.
func honest(rows map[string]row, exists func(string) bool) []string {
	var out []string
	for name, r := range rows {
		switch {
		case r.plan && exists(name):
			out = append(out, name+" is marked planned and exists: take the mark away")
		case !r.plan && !exists(name):
			out = append(out, name+" is in the table and does not exist: was it renamed?")
		}
		for _, p := range r.ours {
			if _, listed := rows[p]; !listed && p != everything {
				out = append(out, name+" may import "+p+", which is not in the table")
			}
		}
	}
	return out
}

// TestTableHasNoCycle makes sure that the arrow is one: no package reaches itself.
func TestTableHasNoCycle(t *testing.T) {
	for _, c := range cycles(table) {
		t.Error(c)
	}
}

// cycles lists the packages that reach themselves through what rows allow.
func cycles(rows map[string]row) []string {
	var out []string
	for start := range rows {
		seen := map[string]bool{}
		todo := slices.Clone(rows[start].ours)
		for len(todo) > 0 {
			p := todo[0]
			todo = todo[1:]
			if p == everything || seen[p] {
				continue
			}
			seen[p] = true
			todo = append(todo, rows[p].ours...)
		}
		if seen[start] {
			out = append(out, start+" can reach itself through the table")
		}
	}
	return out
}

// TestDepguardAgrees compares .golangci.yml with the table, so that the editor
// and this test never say different things.
func TestDepguardAgrees(t *testing.T) {
	text, err := os.ReadFile(root + "/.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]guard `yaml:"rules"`
				} `yaml:"depguard"`
			} `yaml:"settings"`
		} `yaml:"linters"`
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	want := guards(table)
	for _, breach := range disagree(c.Linters.Settings.Depguard.Rules, want) {
		t.Error(breach)
	}
	if t.Failed() {
		b, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("linters.settings.depguard.rules should be:\n%s", b)
	}
}

// guard is one rule of depguard.
type guard struct {
	Mode  string   `yaml:"list-mode"`
	Files []string `yaml:"files,flow"`
	Allow []string `yaml:"allow,flow"`
}

// guards writes the table as depguard rules. Rows that allow everything need none.
func guards(rows map[string]row) map[string]guard {
	out := map[string]guard{}
	for name, r := range rows {
		if slices.Contains(r.ours, everything) {
			continue
		}
		g := guard{Mode: "strict", Files: []string{"**/" + name + "/*.go", "!$test"}, Allow: []string{"$gostd"}}
		for _, p := range r.ours {
			g.Allow = append(g.Allow, module+"/"+p+"$") // $ ends an exact path
		}
		g.Allow = append(g.Allow, r.others...)
		out[strings.ReplaceAll(name, "/", "-")] = g
	}
	return out
}

// disagree lists the differences between two sets of depguard rules.
func disagree(have, want map[string]guard) []string {
	var out []string
	for name, w := range want {
		h, ok := have[name]
		if !ok {
			out = append(out, ".golangci.yml: depguard has no rule "+name)
			continue
		}
		slices.Sort(h.Allow)
		allow := slices.Sorted(slices.Values(w.Allow))
		if h.Mode != w.Mode || !slices.Equal(h.Files, w.Files) || !slices.Equal(h.Allow, allow) {
			out = append(out, fmt.Sprintf(".golangci.yml: depguard rule %s is %v, the table says %v", name, h, w))
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			out = append(out, ".golangci.yml: depguard rule "+name+" has no row in the table")
		}
	}
	slices.Sort(out)
	return out
}
