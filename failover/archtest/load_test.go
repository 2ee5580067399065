package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the module's path, and root its directory as the tests see it.
const (
	module = "erfailover"
	root   = "../.."
)

// file is one Go source file.
type file struct {
	name  string // from the module's root: "failover/policy/rule.go"
	pkg   string // directory of name; "." for the root
	test  bool   // a _test.go file
	lines int
	text  []byte
	fset  *token.FileSet
	ast   *ast.File
}

// at formats a place for a message.
func (f *file) at(p token.Pos) string {
	return f.name + ":" + strconv.Itoa(f.fset.Position(p).Line)
}

// imports maps the name by which an import is known in f to its path.
func (f *file) imports() map[string]string {
	m := map[string]string{}
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		name := path.Base(p)
		if len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
			name = path.Base(path.Dir(p)) // math/rand/v2 is rand
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		m[name] = p
	}
	return m
}

// parse reads one file's text.
func parse(name string, text []byte) (*file, error) {
	f := &file{
		name:  name,
		pkg:   path.Dir(name),
		test:  strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(text), "\n"),
		text:  text,
		fset:  token.NewFileSet(),
	}
	var err error
	f.ast, err = parser.ParseFile(f.fset, name, text, parser.ParseComments)
	return f, err
}

// tree reads every Go file of the module once, in order of name.
var tree = sync.OnceValues(func() ([]*file, error) {
	var all []*file
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if p != root && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		f, err := parse(filepath.ToSlash(rel), text)
		if err != nil {
			return err
		}
		all = append(all, f)
		return nil
	})
	return all, err
})

// shipped returns the files that are not tests.
func shipped(t *testing.T) []*file {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(every(t)), func(f *file) bool { return f.test })
}

// every returns all files, tests included.
func every(t *testing.T) []*file {
	t.Helper()
	all, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d Go files under %s: the walk is broken", len(all), root)
	}
	return all
}

// packages groups files by package.
func packages(files []*file) map[string][]*file {
	m := map[string][]*file{}
	for _, f := range files {
		m[f.pkg] = append(m[f.pkg], f)
	}
	return m
}

// rule checks one file and returns one line for each breach.
type rule func(f *file) []string

// hold reports every breach of r in files.
func hold(t *testing.T, files []*file, r rule) {
	t.Helper()
	for _, f := range files {
		for _, breach := range r(f) {
			t.Error(breach)
		}
	}
}
