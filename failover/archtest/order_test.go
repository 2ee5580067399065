package archtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// orderFree, in a comment on a range statement's line or the one above, says that
// the order of a map does not matter there, and why.
const orderFree = "order-free:"

// TestNoMapOrder refuses code whose result could hang on the order of a map, in
// every pure or sequential package. The same facts must give the same plan, the
// same hash and the same text.
func TestNoMapOrder(t *testing.T) {
	from := compiled(t)
	for name, files := range packages(shipped(t)) {
		if r, listed := table[name]; !listed || r.kind == free || name == "failover/archtest" {
			continue
		}
		info, err := check(name, files, from)
		if err != nil {
			t.Errorf("%s does not type-check: %v", name, err)
			continue
		}
		for _, f := range files {
			for _, breach := range order(f, info) {
				t.Error(breach)
			}
		}
	}
}

// compiled asks the go command for the export data of everything that the pure
// and sequential packages import; after a build it is all in the build cache.
func compiled(t *testing.T) map[string]string {
	t.Helper()
	exists := packages(shipped(t))
	var names []string
	for name, r := range table {
		if r.kind != free && len(exists[name]) > 0 {
			names = append(names, "./"+name)
		}
	}
	slices.Sort(names)
	return exports(t, names...)
}

// exports maps the named packages, and all that they import, to their export data.
func exports(t *testing.T, names ...string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-export", "-deps", "-json=ImportPath,Export"}, names...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	m := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); err == io.EOF {
			return m
		} else if err != nil {
			t.Fatal(err)
		}
		m[p.ImportPath] = p.Export
	}
}

// check type-checks one package against the export data of its imports.
func check(name string, files []*file, from map[string]string) (*types.Info, error) {
	// The files were parsed one by one; types wants them in one file set.
	fset := token.NewFileSet()
	asts := make([]*ast.File, 0, len(files))
	for _, f := range files {
		if f.text == nil {
			return nil, fmt.Errorf("%s was not kept", f.name)
		}
		a, err := parser.ParseFile(fset, f.name, f.text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		f.fset, f.ast = fset, a
		asts = append(asts, a)
	}
	lookup := func(path string) (io.ReadCloser, error) {
		if from[path] == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(from[path])
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	_, err := conf.Check(module+"/"+name, fset, asts, info)
	return info, err
}

// order lists the places in f where the order of a map could show.
func order(f *file, info *types.Info) []string {
	var out []string
	said := map[int]bool{}
	for _, g := range f.ast.Comments {
		for _, c := range g.List {
			if strings.Contains(c.Text, orderFree) {
				line := f.fset.Position(c.End()).Line
				said[line], said[line+1] = true, true
			}
		}
	}
	bad := func(p token.Pos, what string) {
		if !said[f.fset.Position(p).Line] {
			out = append(out, fmt.Sprintf("%s: %s: sort first (slices.Sorted(maps.Keys(m))), or say `// %s why`", f.at(p), what, orderFree))
		}
	}
	sorted := map[ast.Node]bool{} // calls whose order is taken away by the call around them
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if path, name := callee(n, info); path == "slices" && strings.HasPrefix(name, "Sorted") || path == "maps" && (name == "Collect" || name == "Insert") {
				for _, a := range n.Args {
					sorted[a] = true
				}
			}
			if path, name := callee(n, info); path == "maps" && (name == "Keys" || name == "Values" || name == "All") && !sorted[n] {
				bad(n.Pos(), "maps."+name+" in map order")
			}
		case *ast.BlockStmt:
			for i, s := range n.List {
				r, ok := s.(*ast.RangeStmt)
				if !ok || !isMap(r.X, info) {
					continue
				}
				if !harmless(r.Body.List, n.List[i+1:], info) {
					bad(r.Pos(), "range over a map")
				}
			}
		case *ast.CaseClause:
			for i, s := range n.Body {
				if r, ok := s.(*ast.RangeStmt); ok && isMap(r.X, info) && !harmless(r.Body.List, n.Body[i+1:], info) {
					bad(r.Pos(), "range over a map")
				}
			}
		}
		return true
	})
	return out
}

// isMap tells whether x is a map.
func isMap(x ast.Expr, info *types.Info) bool {
	t := info.TypeOf(x)
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

// callee returns the import path and name of the package function that is called.
func callee(c *ast.CallExpr, info *types.Info) (path, name string) {
	fun := c.Fun
	if ix, ok := fun.(*ast.IndexExpr); ok {
		fun = ix.X
	}
	sel, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	fn, ok := info.Uses[sel.Sel].(*types.Func)
	if !ok || fn.Pkg() == nil {
		return "", ""
	}
	return fn.Pkg().Path(), fn.Name()
}

// harmless tells whether a loop body gives the same result in any order: it only
// fills maps, cuts from maps, counts whole numbers, answers with a constant, or
// gathers into a slice that is sorted later in the same block.
func harmless(body, after []ast.Stmt, info *types.Info) bool {
	if contradicts(body, info) {
		return false
	}
	for _, s := range body {
		ok := false
		switch s := s.(type) {
		case *ast.AssignStmt:
			ok = harmlessAssign(s, after, info)
		case *ast.IncDecStmt:
			ok = true
		case *ast.BranchStmt:
			ok = s.Tok == token.CONTINUE
		case *ast.IfStmt:
			ok = s.Init == nil || harmless([]ast.Stmt{s.Init}, after, info)
			ok = ok && harmless(s.Body.List, after, info)
			if s.Else != nil {
				ok = ok && harmless([]ast.Stmt{s.Else}, after, info)
			}
		case *ast.BlockStmt:
			ok = harmless(s.List, after, info)
		case *ast.RangeStmt:
			ok = harmless(s.Body.List, after, info)
		case *ast.ReturnStmt:
			ok = !slices.ContainsFunc(s.Results, func(e ast.Expr) bool { return !constant(e, info) })
		case *ast.ExprStmt:
			c, call := s.X.(*ast.CallExpr)
			if call {
				id, plain := c.Fun.(*ast.Ident)
				path, name := callee(c, info)
				ok = plain && id.Name == "delete" || path == "slices" && strings.HasPrefix(name, "Sort")
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// constant tells whether e is nil or a constant.
func constant(e ast.Expr, info *types.Info) bool {
	tv := info.Types[e]
	return tv.Value != nil || tv.IsNil()
}

// contradicts tells whether a body gives one name, or the answer, two different
// constants: the turn that comes last, or first, would win.
func contradicts(body []ast.Stmt, info *types.Info) bool {
	given := map[string]string{}
	two := false
	give := func(name string, to ast.Expr) {
		if !constant(to, info) {
			return
		}
		v := types.ExprString(to)
		two = two || given[name] != "" && given[name] != v
		given[name] = v
	}
	for _, s := range body {
		ast.Inspect(s, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ReturnStmt:
				for i, e := range n.Results {
					give(fmt.Sprint("return ", i), e)
				}
			case *ast.AssignStmt:
				for i, l := range n.Lhs {
					if n.Tok == token.ASSIGN && len(n.Lhs) == len(n.Rhs) {
						give(types.ExprString(l), n.Rhs[i])
					}
				}
			}
			return true
		})
	}
	return two
}

// harmlessAssign is harmless for one assignment.
func harmlessAssign(s *ast.AssignStmt, after []ast.Stmt, info *types.Info) bool {
	switch s.Tok {
	case token.DEFINE:
		return true // a name that lives for one turn of the loop
	case token.ADD_ASSIGN, token.OR_ASSIGN, token.AND_ASSIGN, token.XOR_ASSIGN:
		b, ok := info.TypeOf(s.Lhs[0]).Underlying().(*types.Basic)
		return ok && b.Info()&types.IsInteger != 0 // float sums and texts hang on the order
	case token.ASSIGN:
	default:
		return false
	}
	for i, l := range s.Lhs {
		if id, ok := l.(*ast.Ident); ok && id.Name == "_" {
			continue
		}
		if ix, ok := l.(*ast.IndexExpr); ok && isMap(ix.X, info) {
			continue
		}
		if len(s.Rhs) != len(s.Lhs) {
			return false
		}
		if constant(s.Rhs[i], info) {
			continue
		}
		if b, ok := s.Rhs[i].(*ast.BinaryExpr); ok && (b.Op == token.LOR || b.Op == token.LAND) && types.ExprString(b.X) == types.ExprString(l) {
			continue // any, or all
		}
		c, ok := s.Rhs[i].(*ast.CallExpr)
		if !ok {
			return false
		}
		switch id, _ := c.Fun.(*ast.Ident); {
		case id == nil:
			return false
		case id.Name == "max" || id.Name == "min":
		case id.Name == "append" && sortedLater(l, after, info):
		default:
			return false
		}
	}
	return true
}

// sortedLater tells whether one of the statements after a loop sorts x.
func sortedLater(x ast.Expr, after []ast.Stmt, info *types.Info) bool {
	want := types.ExprString(x)
	found := false
	for _, s := range after {
		ast.Inspect(s, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			path, name := callee(c, info)
			sorts := path == "slices" && strings.HasPrefix(name, "Sort") || path == "sort"
			found = found || sorts && len(c.Args) > 0 && types.ExprString(c.Args[0]) == want
			if sel, ok := c.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Canonical" || sel.Sel.Name == "Sort") {
				x := types.ExprString(sel.X) // e.Sort() puts all of e in order
				found = found || x == want || strings.HasPrefix(want, x+".")
			}
			return true
		})
	}
	return found
}
