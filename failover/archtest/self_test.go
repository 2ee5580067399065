package archtest

import (
	"strings"
	"testing"
)

// snippet is a piece of code on which a rule fires, or on which it must not.
type snippet struct {
	what string
	name string // file name; the package is its directory
	rule rule
	code string
	want string // part of the one breach; "" when the code is fine
}

// snippets holds a bad piece for every rule, and the good neighbour that shows
// that the rule does not fire on everything.
var snippets = []snippet{
	// The arrow.
	{"policy looks right", "failover/policy/x.go", arrow, `import "erfailover/failover/planner"`, "does not point that way"},
	{"events imports ours", "events/x.go", arrow, `import "erfailover/failover/fault"`, "does not point that way"},
	{"planner may not know the executor", "failover/planner/x.go", arrow, `import "erfailover/failover/executor"`, "does not point that way"},
	{"the core imports the engine", "failover/report/x.go", arrow, `import "erfailover/failover"`, "does not point that way"},
	{"main imports main's module root", "handlers/x.go", arrow, `import "erfailover"`, "does not point that way"},
	{"policy looks left", "failover/policy/x.go", arrow, `import "erfailover/failover/health"`, ""},
	{"a prefix is not a package", "failover/policy/x.go", arrow, `import "erfailover/failover/healthy"`, "does not point that way"},
	{"unlisted package", "failover/extra/x.go", arrow, ``, "not in the table"},
	{"dot import", "failover/policy/x.go", arrow, `import . "erfailover/failover/health"`, "dot import"},
	{"log library in the core", "cli/x.go", arrow, `import "github.com/rs/zerolog"`, ""},
	{"json where the row names it", "events/x.go", arrow, `import "github.com/go-json-experiment/json/jsontext"`, ""},
	{"module that no row names", "failover/health/x.go", arrow, `import "example.com/other"`, "does not name that module"},

	// The world.
	{"environment", "failover/health/x.go", worldImports, `import "os"`, "imports os"},
	{"network", "failover/policy/x.go", worldImports, `import "net"`, "imports net:"},
	{"web", "failover/policy/x.go", worldImports, `import "net/http"`, "imports net/http"},
	{"addresses are values", "failover/policy/x.go", worldImports, `import ("net/netip"; "net/url")`, ""},
	{"random", "failover/planner/x.go", worldImports, `import "math/rand/v2"`, "imports math/rand/v2"},
	{"secret random", "failover/planner/x.go", worldImports, `import "crypto/rand"`, "imports crypto/rand"},
	{"log", "failover/report/x.go", worldImports, `import "log/slog"`, "imports log/slog"},
	{"context in the core", "failover/policy/x.go", worldImports, `import "context"`, "imports context"},
	{"context in the executor", "failover/executor/x.go", worldImports, `import "context"`, ""},
	{"context of the Store port", "failover/record/x.go", worldImports, `import "context"`, ""},
	{"random in the executor", "failover/executor/x.go", worldImports, `import "crypto/rand"`, "imports crypto/rand"},
	{"renamed import", "events/x.go", worldImports, `import quiet "log"`, "imports log"},
	{"adapters are free", "failover/armnet/x.go", worldImports, `import "os"`, ""},

	// The clock.
	{"now", "failover/policy/x.go", clock, `import "time"; var t = time.Now()`, "time.Now"},
	{"now by another name", "failover/policy/x.go", clock, `import clk "time"; var t = clk.Now()`, "time.Now"},
	{"now as a value", "failover/policy/x.go", clock, `import "time"; var t = time.Now`, "time.Now"},
	{"since", "failover/health/x.go", clock, `import "time"; func f(t time.Time) any { return time.Since(t) }`, "time.Since"},
	{"until", "failover/health/x.go", clock, `import "time"; func f(t time.Time) any { return time.Until(t) }`, "time.Until"},
	{"sleep", "failover/executor/x.go", clock, `import "time"; func f() { time.Sleep(1) }`, "time.Sleep"},
	{"after", "failover/executor/x.go", clock, `import "time"; var c = time.After(1)`, "time.After"},
	{"tick", "failover/executor/x.go", clock, `import "time"; var c = time.Tick(1)`, "time.Tick"},
	{"zone of the machine", "failover/report/x.go", clock, `import "time"; var z = time.Local`, "time.Local"},
	{"types of time", "failover/policy/x.go", clock, `import "time"; const d = 2 * time.Second`, ""},
	{"a local called time", "failover/policy/x.go", clock, `import "time"; type s struct{ Now int }; var d time.Duration; func f() int { time := s{}; return time.Now }`, ""},
	{"the engine is handed a clock", "failover/engine.go", clock, `import "time"; var t = time.Now()`, "time.Now"},
	{"adapters know the time", "failover/armnet/x.go", clock, `import "time"; var t = time.Now()`, ""},

	// One thing at a time.
	{"go", "failover/executor/x.go", concurrency, `func f() { go f() }`, "go statement"},
	{"go in the engine", "failover/x.go", concurrency, `func f() { go f() }`, "go statement"},
	{"select", "failover/health/x.go", concurrency, `func f() { select {} }`, "select"},
	{"channel", "failover/health/x.go", concurrency, `type t chan int`, "channel type"},
	{"receive", "failover/health/x.go", concurrency, `func f(c t) { <-c }`, "channel receive"},
	{"send", "failover/health/x.go", concurrency, `func f(c t) { c <- 1 }`, "channel send"},
	{"adapters parallelise inside", "failover/armnet/x.go", concurrency, `func f() { go f() }`, ""},

	{"output", "failover/report/x.go", printing, `import "fmt"; func f() { fmt.Println() }`, "fmt.Println"},
	{"text", "failover/report/x.go", printing, `import "fmt"; var s = fmt.Sprint(1)`, ""},

	{"init", "handlers/x.go", inits, `func init() {}`, "init function"},
	{"a method called init", "handlers/x.go", inits, `type t int; func (t) init() {}`, ""},

	{"long function", "cli/x.go", sizes, "func f() {" + strings.Repeat("\n", maxFunction) + "}", "has 71 lines"},
	{"function at the limit", "cli/x.go", sizes, "func f() {" + strings.Repeat("\n", maxFunction-1) + "}", ""},
	{"long file", "cli/x.go", sizes, strings.Repeat("\n", maxFile+1), "lines, more than 400"},

	{"package name", "failover/utils/x.go", names, ``, `"utils"`},
	{"file name", "failover/policy/types.go", names, ``, `"types"`},
	{"test file name", "failover/policy/helpers_test.go", names, ``, `"helpers"`},
	{"a name that says something", "events/commonalert.go", names, ``, ""},
}

// TestRulesFire runs every rule on code that breaks it.
func TestRulesFire(t *testing.T) {
	for _, s := range snippets {
		t.Run(s.what, func(t *testing.T) { fire(t, s.rule(snippetFile(t, s.name, s.code)), s.want) })
	}
}

// snippetFile parses code as the file called name.
func snippetFile(t *testing.T, name, code string) *file {
	t.Helper()
	f, err := parse(name, []byte("package p\n"+code))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fire compares breaches with the one that is wanted.
func fire(t *testing.T, got []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("fires on good code: %q", got)
	case want != "" && len(got) == 0:
		t.Error("does not fire")
	case want != "" && !strings.Contains(strings.Join(got, "\n"), want):
		t.Errorf("says %q, want %q in it", got, want)
	}
}

// TestOwnersFire shows that a module stays with its owners even where a row would
// allow it.
func TestOwnersFire(t *testing.T) {
	for mod, who := range owners {
		for name, r := range table {
			f := snippetFile(t, name+"/x.go", `import "`+mod+`/any"`)
			if name == "." {
				f = snippetFile(t, "x.go", `import "`+mod+`/any"`)
			}
			allowed := strings.Contains(strings.Join(who, " ")+" ", name+" ") && covers(r.others, mod, false)
			if !allowed && len(arrow(f)) == 0 {
				t.Errorf("%s may import %s and is not among its owners %v", name, mod, who)
			}
		}
	}
}

// TestVariablesFire tries ways to keep state in a package variable.
func TestVariablesFire(t *testing.T) {
	for _, c := range []struct{ what, code, want string }{
		{"empty", `var cache map[string]int`, "has no value"},
		{"made", `var cache = make(map[string]int)`, "is made empty"},
		{"lock", `import "sync"; var mu = sync.Mutex{}`, "is state"},
		{"lock by pointer", `import "sync"; var mu = &sync.Mutex{}`, "is state"},
		{"assigned", `var n = 1; func f() { n = 2 }`, "is assigned"},
		{"added to", `var n = 1; func f() { n += 2 }`, "is assigned"},
		{"counted", `var n = 1; func f() { n++ }`, "is counted"},
		{"filled", `var m = map[int]int{1: 1}; func f() { m[2] = 2 }`, "is assigned"},
		{"field", `var s = struct{ a []int }{}; func f() { s.a[0] = 1 }`, "is assigned"},
		{"cut", `var m = map[int]int{1: 1}; func f() { delete(m, 1) }`, "is cut"},
		{"pointed at", `var n = 1; func f() *int { return &n }`, "address taken"},
		{"ranged into", `var n = 1; func f(s []int) { for n = range s {} }`, "assigned by range"},
		{"of another package", `import "erfailover/events"; func f() { events.Max = 1 }`, "another package's variable"},
		{"table", `var m = map[int]int{1: 1}; func f() int { return m[1] }`, ""},
		{"sentinel", `import "errors"; var ErrGone = errors.New("gone")`, ""},
		{"embedded", "import _ \"embed\"\n//go:embed x.html\nvar page []byte", ""},
		{"blank", `import "io"; var _ io.Reader = (*r)(nil); type r struct{}`, ""},
		{"a local of that name", `var n = 1; func f() int { n := 2; n = 3; return n }`, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			var got []string
			for _, b := range mutable([]*file{snippetFile(t, "failover/policy/x.go", c.code)}) {
				got = append(got, b.text)
			}
			fire(t, got, c.want)
		})
	}
	t.Run("from another file", func(t *testing.T) {
		got := mutable([]*file{
			snippetFile(t, "failover/policy/a.go", `var n = 1`),
			snippetFile(t, "failover/policy/b.go", `func f() { n = 2 }`),
		})
		if len(got) != 1 {
			t.Errorf("found %v, want one", got)
		}
	})
}

// TestOrderFires tries ways to let the order of a map show.
func TestOrderFires(t *testing.T) {
	std := exports(t, "maps", "slices", "sort")
	const head = "import (\"maps\"; \"slices\"; \"sort\")\nvar _ = maps.Keys[map[int]int]\nvar _ = slices.Max[[]int]\nvar _ = sort.Ints\n" +
		"func show(int) {}\n"
	for _, c := range []struct{ what, code, want string }{
		{"calls in map order", `func f(m map[int]int) { for k := range m { show(k) } }`, "range over a map"},
		{"gathers unsorted", `func f(m map[int]int) (s []int) { for k := range m { s = append(s, k) }; return s }`, "range over a map"},
		{"joins text", `func f(m map[string]int) (s string) { for k := range m { s += k }; return s }`, "range over a map"},
		{"adds floats", `func f(m map[int]float64) (s float64) { for _, v := range m { s += v }; return s }`, "range over a map"},
		{"last one wins", `func f(m map[int]int) (s int) { for k := range m { s = k }; return s }`, "range over a map"},
		{"first one wins", `func f(m map[int]int) int { for k := range m { return k }; return 0 }`, "range over a map"},
		{"two constants", `func f(m map[int]int) (s int) { for k := range m { if k > 3 { s = 1 } else { s = 2 } }; return s }`, "range over a map"},
		{"in a case", `func f(m map[int]int) { switch { case true: for k := range m { show(k) } } }`, "range over a map"},
		{"a named map", `type set map[int]bool; func f(m set) { for k := range m { show(k) } }`, "range over a map"},
		{"keys in map order", `func f(m map[int]int) { for k := range maps.Keys(m) { show(k) } }`, "maps.Keys in map order"},
		{"collected in map order", `func f(m map[int]int) []int { return slices.Collect(maps.Values(m)) }`, "maps.Values in map order"},
		{"sorted keys", `func f(m map[int]int) { for _, k := range slices.Sorted(maps.Keys(m)) { show(k) } }`, ""},
		{"a map from a map", `func f(m map[int]int) map[int]int { n := map[int]int{}; for k, v := range m { n[v] = k }; return n }`, ""},
		{"gathers and sorts", `func f(m map[int]int) (s []int) { for k := range m { s = append(s, k) }; slices.Sort(s); return s }`, ""},
		{"counts", `func f(m map[int]int) (n int) { for _, v := range m { if v > 2 { n++ } }; return n }`, ""},
		{"any", `func f(m map[int]int) bool { for _, v := range m { if v > 2 { return true } }; return false }`, ""},
		{"greatest", `func f(m map[int]int) (n int) { for _, v := range m { n = max(n, v) }; return n }`, ""},
		{"said why", "func f(m map[int]int) {\n// order-free: show only counts\nfor k := range m { show(k) } }", ""},
		{"a slice", `func f(m []int) { for k := range m { show(k) } }`, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			f := snippetFile(t, "failover/policy/x.go", head+c.code)
			info, err := check(f.pkg, []*file{f}, std)
			if err != nil {
				t.Fatal(err)
			}
			fire(t, order(f, info), c.want)
		})
	}
}

// TestTableFires tries tables that lie.
func TestTableFires(t *testing.T) {
	rows := map[string]row{"gone": {}, "here": {plan: true}, "a": {ours: []string{"b"}}, "b": {ours: []string{"a", "nowhere"}}}
	got := strings.Join(honest(rows, func(p string) bool { return p != "gone" }), "\n")
	for _, want := range []string{"gone is in the table and does not exist", "here is marked planned and exists", "b may import nowhere"} {
		fire(t, []string{got}, want)
	}
	fire(t, cycles(rows), "can reach itself")

	want := guards(table)
	if len(want) < 15 {
		t.Fatalf("only %d depguard rules", len(want))
	}
	fire(t, disagree(nil, want), "has no rule")
	have := guards(table)
	g := have["events"]
	g.Allow = append(g.Allow, "os/exec")
	have["events"] = g
	have["ghost"] = guard{}
	fire(t, disagree(have, want), "rule events is")
	fire(t, disagree(have, want), "rule ghost has no row")
}

// TestStrangersFire feeds a list of modules with what must not be linked.
func TestStrangersFire(t *testing.T) {
	fire(t, strangers([]string{module, "github.com/bytedance/sonic/loader"}), "sonic")
	fire(t, strangers([]string{module, "github.com/apache/arrow-go/v19"}), "arrow")
	fire(t, strangers([]string{module, "github.com/apache/arrow/go/v15"}), "arrow")
	fire(t, strangers([]string{module, "pgregory.net/rapid"}), "tests only")
	fire(t, strangers([]string{module, "github.com/rs/zerolog"}), "")
}
