package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// kept lists package variables that the rule would refuse, each with its reason.
var kept = map[string]string{}

// TestNoInit refuses init functions: what runs at start-up is called by main,
// where a reader finds it.
func TestNoInit(t *testing.T) { hold(t, shipped(t), inits) }

// TestNoMutableVariables allows package variables for tables, embedded files and
// sentinel errors, and refuses any that something writes.
func TestNoMutableVariables(t *testing.T) {
	used := map[string]bool{}
	for _, files := range packages(shipped(t)) {
		for _, breach := range mutable(files) {
			if _, ok := kept[breach.name]; ok {
				used[breach.name] = true
				continue
			}
			t.Error(breach.text)
		}
	}
	for name := range kept {
		if !used[name] {
			t.Errorf("%s is kept without need: take it off the list", name)
		}
	}
}

// inits lists the init functions of a file.
func inits(f *file) []string {
	var out []string
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			out = append(out, f.at(fn.Pos())+": init function: call it from main")
		}
	}
	return out
}

// breach is one package variable that may change.
type breach struct{ name, text string }

// mutable lists the package variables of one package that are written, could
// only be written, or hold something made to be written. It also lists writes to
// variables of other packages, outside main and cli.
func mutable(files []*file) []breach {
	vars := map[string]*ast.ValueSpec{}
	var out []breach
	for _, f := range files {
		for _, spec := range variables(f) {
			for _, n := range spec.Names {
				vars[n.Name] = spec
			}
			if why := suspicious(spec); why != "" {
				out = append(out, breach{f.pkg + "." + spec.Names[0].Name, fmt.Sprintf("%s: %s %s", f.at(spec.Pos()), spec.Names[0].Name, why)})
			}
		}
	}
	for _, f := range files {
		imports := f.imports()
		written(f, func(target ast.Expr, how string) {
			base := target
			for {
				switch x := base.(type) {
				case *ast.IndexExpr:
					base = x.X
					continue
				case *ast.ParenExpr:
					base = x.X
					continue
				case *ast.SelectorExpr:
					if id, ok := x.X.(*ast.Ident); ok && id.Obj == nil && imports[id.Name] != "" {
						if f.pkg != "cli" && f.pkg != "." {
							out = append(out, breach{f.pkg + "." + id.Name + "." + x.Sel.Name, fmt.Sprintf("%s: %s.%s %s: another package's variable", f.at(target.Pos()), id.Name, x.Sel.Name, how)})
						}
						return
					}
					base = x.X
					continue
				}
				break
			}
			id, ok := base.(*ast.Ident)
			if !ok {
				return
			}
			spec, ok := vars[id.Name]
			if ok && (id.Obj == nil || id.Obj.Decl == spec) {
				out = append(out, breach{f.pkg + "." + id.Name, fmt.Sprintf("%s: package variable %s %s", f.at(target.Pos()), id.Name, how)})
			}
		})
	}
	return out
}

// variables returns the package-level var specs of a file, embeds and blanks left out.
func variables(f *file) []*ast.ValueSpec {
	var out []*ast.ValueSpec
	for _, d := range f.ast.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, s := range gen.Specs {
			spec := s.(*ast.ValueSpec)
			embeds := func(g *ast.CommentGroup) bool {
				return g != nil && slices.ContainsFunc(g.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed") })
			}
			if spec.Names[0].Name == "_" || embeds(gen.Doc) || embeds(spec.Doc) {
				continue
			}
			out = append(out, spec)
		}
	}
	return out
}

// suspicious says why a variable can only be meant to change, or "".
func suspicious(spec *ast.ValueSpec) string {
	if len(spec.Values) == 0 {
		return "has no value: only a write could give it one"
	}
	for _, v := range spec.Values {
		if u, ok := v.(*ast.UnaryExpr); ok && u.Op == token.AND {
			v = u.X
		}
		switch v := v.(type) {
		case *ast.CallExpr:
			if id, ok := v.Fun.(*ast.Ident); ok && (id.Name == "make" || id.Name == "new") {
				return "is made empty: only a write could fill it"
			}
		case *ast.CompositeLit:
			if sel, ok := v.Type.(*ast.SelectorExpr); ok {
				if id, ok := sel.X.(*ast.Ident); ok && (id.Name == "sync" || id.Name == "atomic" || id.Name == "bytes" || id.Name == "strings") {
					return "is state"
				}
			}
		}
	}
	return ""
}

// written calls found for every expression that f writes to or takes the address of.
func written(f *file, found func(target ast.Expr, how string)) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, l := range n.Lhs {
					found(l, "is assigned")
				}
			}
		case *ast.IncDecStmt:
			found(n.X, "is counted")
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				found(n.Key, "is assigned by range")
				if n.Value != nil {
					found(n.Value, "is assigned by range")
				}
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				if _, literal := n.X.(*ast.CompositeLit); !literal {
					found(n.X, "has its address taken")
				}
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && id.Obj == nil && len(n.Args) > 0 {
				found(n.Args[0], "is cut")
			}
		}
		return true
	})
}
