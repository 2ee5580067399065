package docstest

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/report"
	"erfailover/handlers"
)

// docs/policy.md has every reason, in the order of the code, with whether it may be overridden.
func TestGuardsAreThoseOfTheCode(t *testing.T) {
	_, rest, _ := strings.Cut(text(t, "docs/policy.md"), "<!-- reasons -->")
	part, _, found := strings.Cut(rest, "<!-- end -->")
	if !found {
		t.Fatal("docs/policy.md has no marks around its reasons")
	}
	list, reasons := rows(part), policy.Reasons()
	if len(list) != len(reasons) {
		t.Errorf("%d reasons on the page, %d in the code", len(list), len(reasons))
	}
	for i, r := range reasons[:min(len(list), len(reasons))] {
		want := "no"
		switch {
		case r == policy.LastPath:
			want = "break-glass"
		case policy.Overridable(r):
			want = "yes"
		}
		row := list[i]
		if len(row) != 4 || row[0] != strconv.Itoa(i+1) || code(row[1]) != string(r) || row[3] != want {
			t.Errorf("row %q, want number %d, %s, by name: %s", row, i+1, r, want)
		}
	}
	at := slices.Index(reasons, policy.ApprovalAwaited) + 1
	if !strings.Contains(text(t, "docs/comparison.md"), fmt.Sprintf("[%d, with reasons](policy.md#guards-in-order)", at)) {
		t.Errorf("docs/comparison.md does not say that there are %d guards", at)
	}
}

// Defaults that docs/policy.md tells are those of docs/configuration.md, which is
// written from the schema.
func TestDefaultsAreThoseOfTheSchema(t *testing.T) {
	defaults := map[string]string{}
	for _, row := range rows(text(t, "docs/configuration.md")) {
		if len(row) == 4 {
			defaults[code(strings.Trim(row[0], "*"))] = row[2]
		}
	}
	list := rows(section(t, "docs/policy.md", "## Waits and their defaults"))
	if len(list) < 10 {
		t.Fatalf("%d rows", len(list))
	}
	for _, row := range list {
		if want, known := defaults[code(row[0])]; !known || row[1] != want {
			t.Errorf("%s: got %s, want %q", row[0], row[1], want)
		}
	}
}

// The figures of damping follow from the defaults.
func TestDampingFigures(t *testing.T) {
	d := health.DefaultDamping()
	list := rows(section(t, "docs/policy.md", "## Flap damping, with numbers"))
	if len(list) < 5 {
		t.Fatalf("%d rows", len(list))
	}
	for _, row := range list {
		n, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		every := time.Duration(0)
		if row[1] != "" {
			if every, err = time.ParseDuration(row[1]); err != nil {
				t.Fatal(err)
			}
		}
		penalty, damped := 0.0, false
		for range n {
			penalty = penalty*math.Exp2(-float64(every)/float64(d.HalfLife)) + d.Penalty
			damped = damped || penalty >= d.Suppress
		}
		want := []string{row[0], row[1], fmt.Sprintf("%.0f", penalty), "no", ""}
		if damped {
			want[3] = "yes"
			want[4] = time.Duration(math.Log2(penalty/d.Reuse) * float64(d.HalfLife)).Round(time.Second).String()
		}
		if !slices.Equal(row, want) {
			t.Errorf("got %q, want %q", row, want)
		}
	}
	for _, figure := range []string{
		fmt.Sprintf("`penalty` %.0f", d.Penalty), fmt.Sprintf("`halfLife` %.0f minutes", d.HalfLife.Minutes()), fmt.Sprintf("`suppress` %.0f", d.Suppress),
		fmt.Sprintf("`reuse` %.0f", d.Reuse), fmt.Sprintf("%.0f hours", d.Max.Hours()),
	} {
		if !strings.Contains(section(t, "docs/policy.md", "## Flap damping, with numbers"), figure) {
			t.Errorf("the text does not say %s", figure)
		}
	}
}

// The table of settings has the keys of the sample, and their plain values.
func TestSettingsAreThoseOfTheSample(t *testing.T) {
	var sample struct {
		IsEncrypted bool
		Values      map[string]string
		Host        map[string]int
	}
	if err := json.Unmarshal([]byte(text(t, "local.settings.sample.json")), &sample, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"IsEncrypted": strconv.FormatBool(sample.IsEncrypted)}
	for k, v := range sample.Values {
		values[k] = v
	}
	for k, v := range sample.Host {
		values[k] = strconv.Itoa(v)
	}
	var written, real []string
	for _, row := range rows(section(t, "docs/development.md", "### Settings")) {
		key := code(row[0])
		written = append(written, key)
		value, ok := values[key]
		if ok && (strings.HasPrefix(row[1], "`") && code(row[1]) != value || row[1] == "empty" && value != "") {
			t.Errorf("%s: the page says %s, the sample %q", key, row[1], value)
		}
	}
	for k := range values {
		real = append(real, k)
	}
	slices.Sort(real)
	same(t, "settings", written, real)
}

// source returns the Go code of the program, without tests.
func source(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{"failover", "handlers", "cli", "events"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			all.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// Alerts match the events of the log, so the page has all of them.
func TestLogEventsAreWritten(t *testing.T) {
	src, codes := source(t), map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(Code\w+) += "([\w.]+)"`).FindAllStringSubmatch(text(t, "failover/codes.go"), -1) {
		codes[m[1]] = m[2]
	}
	var real []string
	found := regexp.MustCompile(`Str\("event", ("?)([^")+]+)"?(\+"[\w.]+")?\)`).FindAllStringSubmatch(src, -1)
	if all, lines := strings.Count(src, `Str("event"`), len(regexp.MustCompile(`\bMsgf?\(`).FindAllString(src, -1)); len(found) != all || lines != all {
		t.Errorf("%d lines of the log, %d with an event, %d of them can be read here", lines, all, len(found))
	}
	for _, m := range found {
		switch {
		case m[1] != "":
			real = append(real, m[2])
		case codes[m[2]] != "":
			real = append(real, codes[m[2]])
		case m[2] == "what" && m[3] == `+".failed"`: // serve: one for each of its timers
		default:
			t.Errorf("an event of the log that cannot be read here: %s", m[0])
		}
	}
	for _, m := range regexp.MustCompile(`p\.every\(ctx, [^,]+, "(\w+)"`).FindAllStringSubmatch(src, -1) {
		real = append(real, m[1]+".failed")
	}
	slices.Sort(real)
	var written []string
	for _, row := range rows(section(t, "docs/operations.md", "## Log events")) {
		written = append(written, code(row[0]))
	}
	same(t, "log events", written, slices.Compact(real))
}

func TestMetricsAreWritten(t *testing.T) {
	var written, real []string
	for _, m := range regexp.MustCompile(`family\("(erfailover_\w+)"`).FindAllStringSubmatch(source(t), -1) {
		real = append(real, m[1])
	}
	for _, g := range handlers.Gauges(report.Status{Groups: []report.GroupStatus{{Name: "east", Circuits: []health.Belief{{}}}}}, time.Time{}) {
		name := strings.ReplaceAll(g.Name, ".", "_")
		if g.Kind == "counter" {
			name += "_total"
		}
		real = append(real, name)
	}
	for _, row := range rows(section(t, "docs/operations.md", "## Metrics")) {
		written = append(written, code(row[0]))
	}
	slices.Sort(real)
	same(t, "metrics", written, slices.Compact(real))
}

// The instruments and spans that are sent are those of the page.
func TestTelemetryIsWritten(t *testing.T) {
	var written, real []string
	for _, m := range regexp.MustCompile(`Instrument = "([\w.]+)"`).FindAllStringSubmatch(text(t, "failover/trace/trace.go"), -1) {
		real = append(real, m[1])
	}
	for _, row := range rows(section(t, "docs/operations.md", "### Instruments")) {
		written = append(written, code(row[0]))
	}
	same(t, "instruments", written, real)
	written, real = nil, nil
	for _, m := range regexp.MustCompile(`trace\.Work\{Name: "([\w ]+)"|\bname :?= "([a-z]+ [a-z]+)"`).FindAllStringSubmatch(source(t), -1) {
		real = append(real, m[1]+m[2])
	}
	for _, row := range rows(section(t, "docs/operations.md", "### Spans")) {
		written = append(written, code(row[0]))
	}
	slices.Sort(real)
	same(t, "spans", written[2:], real)
}

// The commands of scenario files are those that the runner knows, and the story on
// the page is in a scenario.
func TestScenarioCommands(t *testing.T) {
	var written, real []string
	for _, m := range regexp.MustCompile(`(?m)^\tcase "(\w+)":`).FindAllStringSubmatch(text(t, "failover/scenario_test.go"), -1) {
		real = append(real, m[1])
	}
	part := section(t, "docs/development.md", "## Scenario files")
	for _, row := range rows(part) {
		written = append(written, code(row[0]))
	}
	same(t, "scenario commands", written, real)
	told := false
	files, err := filepath.Glob(filepath.Join(root, "failover/testdata/*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		told = told || strings.Contains(string(b), fences("", part)[0].body)
	}
	if !told {
		t.Error("no scenario tells the story of the page")
	}
}

// Every neighbour in the comparison comes with its evidence.
func TestComparisonHasEvidence(t *testing.T) {
	count := 0
	for _, heading := range []string{"## What moves ExpressRoute, or nearly", "## Measured against failover controllers of other worlds"} {
		for _, row := range rows(section(t, "docs/comparison.md", heading)) {
			count++
			if last := row[len(row)-1]; !strings.Contains(last, "](https://") && last != "this repository" {
				t.Errorf("%s: no evidence: %q", row[0], last)
			}
		}
	}
	if count < 12 {
		t.Errorf("%d rows found", count)
	}
}
