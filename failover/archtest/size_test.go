package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// A file or function longer than this cannot be seen whole.
const (
	maxFile     = 400 // lines
	maxFunction = 70  // lines
)

// refused names say nothing about what is inside.
var refused = []string{"common", "helper", "helpers", "manager", "misc", "mock", "models", "service", "types", "util", "utils"}

// TestSizes holds the length of files and functions.
func TestSizes(t *testing.T) { hold(t, shipped(t), sizes) }

// TestNames refuses empty names for packages and files, tests included.
func TestNames(t *testing.T) { hold(t, every(t), names) }

// TestPackageComments asks every package for one package comment.
func TestPackageComments(t *testing.T) {
	for name, files := range packages(shipped(t)) {
		if !slices.ContainsFunc(files, func(f *file) bool { return f.ast.Doc != nil }) {
			t.Errorf("package %s has no package comment", name)
		}
	}
}

// sizes checks one file's length and those of its functions.
func sizes(f *file) []string {
	var out []string
	if f.lines > maxFile {
		out = append(out, fmt.Sprintf("%s has %d lines, more than %d", f.name, f.lines, maxFile))
	}
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		n := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
		if n > maxFunction {
			out = append(out, fmt.Sprintf("%s: %s has %d lines, more than %d", f.at(fn.Pos()), fn.Name.Name, n, maxFunction))
		}
	}
	return out
}

// names checks the words in one file's path and its package clause.
func names(f *file) []string {
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.name), ".go"), "_test")
	words := append(strings.Split(path.Dir(f.name), "/"), base, strings.TrimSuffix(f.ast.Name.Name, "_test"))
	var out []string
	for _, w := range words {
		if slices.Contains(refused, w) {
			out = append(out, fmt.Sprintf("%s: %q says nothing about what is inside", f.name, w))
		}
	}
	return out
}
