package failover_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"erfailover/failover/drill"
	"erfailover/failover/policy"
)

// journalCodes returns the values of the Code constants in codes.go.
func journalCodes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		for _, spec := range gen.Specs {
			v := spec.(*ast.ValueSpec)
			if !strings.HasPrefix(v.Names[0].Name, "Code") || len(v.Values) != 1 {
				continue
			}
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
		}
	}
	return out
}

// entry is one entry of the runbook: its anchor and what stands under it.
type entry struct{ anchor, text string }

func runbook(t *testing.T) []entry {
	t.Helper()
	text, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	at := regexp.MustCompile(`<a id="([^"]+)"></a>`).FindAllSubmatchIndex(text, -1)
	out := make([]entry, len(at))
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		out[i] = entry{string(text[m[2]:m[3]]), string(text[m[1]:end])}
	}
	return out
}

// TestEveryCodeHasAnEntry holds the runbook to the two closed lists: every reason
// and every journal code has one entry, no anchor names anything else, and each
// entry says what it means, what to check, what to do and whom to wake.
func TestEveryCodeHasAnEntry(t *testing.T) {
	var codes []string
	for _, r := range policy.Reasons() {
		codes = append(codes, string(r))
	}
	journal := journalCodes(t)
	if len(journal) < 20 {
		t.Fatalf("only %d journal codes found in codes.go: %v", len(journal), journal)
	}
	codes = append(codes, journal...)
	for _, c := range drill.Codes() {
		codes = append(codes, string(c))
	}
	seen := map[string]bool{}
	for _, e := range runbook(t) {
		switch {
		case seen[e.anchor]:
			t.Errorf("%s has two entries", e.anchor)
		case !slices.Contains(codes, e.anchor):
			t.Errorf("the anchor %s names no reason and no journal code", e.anchor)
		case !strings.Contains(e.text, "`"+e.anchor+"`"):
			t.Errorf("the entry of %s does not show its code", e.anchor)
		}
		seen[e.anchor] = true
		for _, part := range []string{"**Means.**", "**Check.**", "**Do.**", "**Wake.**"} {
			if !strings.Contains(e.text, part) {
				t.Errorf("%s does not say: %s", e.anchor, part)
			}
		}
	}
	for _, c := range codes {
		if !seen[c] {
			t.Errorf("%s has no entry in docs/runbook.md", c)
		}
	}
}

// TestOverridesInTheRunbook: an entry offers an override exactly where the policy
// allows one.
func TestOverridesInTheRunbook(t *testing.T) {
	for _, e := range runbook(t) {
		offers := strings.Contains(e.text, "\"overrides\":[\""+e.anchor+"\"")
		if offers != policy.Overridable(policy.Reason(e.anchor)) {
			t.Errorf("%s: the entry offers an override: %t; the policy allows it: %t", e.anchor, offers, !offers)
		}
	}
}
