package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestPureCodeTouchesNothing holds the bans for pure and sequential packages.
func TestPureCodeTouchesNothing(t *testing.T) {
	hold(t, shipped(t), worldImports)
	hold(t, shipped(t), clock)
	hold(t, shipped(t), concurrency)
	hold(t, shipped(t), printing)
}

// world lists the standard packages that let code read or change something other
// than its arguments, each with what to do instead.
var world = map[string]string{
	"context":          "take values; only ports take a context",
	"crypto/rand":      "take the random value as an argument",
	"io/ioutil":        "take bytes",
	"log":              "return what happened",
	"log/slog":         "return what happened",
	"math/rand":        "derive it from content",
	"math/rand/v2":     "derive it from content",
	"net":              "take what was read; net/netip and net/url are fine",
	"net/http":         "take what was read",
	"os":               "take what was read",
	"os/exec":          "take what was read",
	"os/signal":        "take a context in the shell",
	"os/user":          "take what was read",
	"path/filepath":    "paths belong to the shell",
	"runtime":          "the answer must not hang on the machine",
	"runtime/debug":    "the answer must not hang on the machine",
	"sync":             "values need no lock",
	"sync/atomic":      "values need no lock",
	"syscall":          "the answer must not hang on the machine",
	"testing/synctest": "tests only",
	"unique":           "values need no table",
	"unsafe":           "never",
}

// worldImports refuses imports of the world. Sequential code may have context,
// because it calls ports.
func worldImports(f *file) []string {
	r, listed := table[f.pkg]
	if !listed || r.kind == free {
		return nil
	}
	var out []string
	for _, spec := range f.ast.Imports {
		p := strings.Trim(spec.Path.Value, "`\"")
		why, banned := world[p]
		if !banned || slices.Contains(r.std, p) || r.kind == sequential && p == "context" {
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s imports %s: %s", f.at(spec.Pos()), f.pkg, p, why))
	}
	return out
}

// clocks lists what in package time reads the clock, waits, or reads the
// machine's zone.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local"}

// clock refuses the clock outside free code: it is handed to the engine, which
// looks once a run and hands the value down.
func clock(f *file) []string {
	if r, listed := table[f.pkg]; !listed || r.kind == free {
		return nil
	}
	return uses(f, "time", clocks, "`now` is an argument")
}

// printing refuses output and panics through the back door.
func printing(f *file) []string {
	if r, listed := table[f.pkg]; !listed || r.kind == free {
		return nil
	}
	return uses(f, "fmt", []string{"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"}, "return the text")
}

// uses lists the places where f names one of names from the package at path.
func uses(f *file, path string, names []string, why string) []string {
	local := ""
	for name, p := range f.imports() {
		if p == path {
			local = name
		}
	}
	if local == "" {
		return nil
	}
	var out []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if ok && x.Name == local && x.Obj == nil && slices.Contains(names, sel.Sel.Name) {
			out = append(out, fmt.Sprintf("%s: %s.%s in %s: %s", f.at(sel.Pos()), path, sel.Sel.Name, f.pkg, why))
		}
		return true
	})
	return out
}

// concurrency refuses goroutines and channels in pure and sequential code, so
// that the simulator can schedule the very same code.
func concurrency(f *file) []string {
	if r, listed := table[f.pkg]; !listed || r.kind == free {
		return nil
	}
	var out []string
	bad := func(p token.Pos, what string) {
		out = append(out, fmt.Sprintf("%s: %s in %s: one thing at a time", f.at(p), what, f.pkg))
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			bad(n.Pos(), "go statement")
		case *ast.SelectStmt:
			bad(n.Pos(), "select")
		case *ast.ChanType:
			bad(n.Pos(), "channel type")
		case *ast.SendStmt:
			bad(n.Pos(), "channel send")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				bad(n.Pos(), "channel receive")
			}
		}
		return true
	})
	return out
}
