package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

const subscription = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/"

// sections are the parts of a good file that a case does not write itself.
var sections = []struct{ name, text string }{
	{"version", "version: 1\n"},
	{"circuits", "circuits:\n" +
		"  ashburn: {id: " + subscription + "expressRouteCircuits/er-ashburn}\n" +
		"  chicago: {id: " + subscription + "expressRouteCircuits/er-chicago}\n" +
		"  dallas: {id: " + subscription + "expressRouteCircuits/er-dallas}\n"},
	{"groups", "groups:\n" +
		"  east:\n" +
		"    gateways: [" + subscription + "virtualNetworkGateways/gw-east]\n" +
		"    preference: [ashburn, chicago, dallas]\n"},
}

// TestFiles runs every file in testdata/files. `~` stands for the path of a
// resource up to its type. The commands:
//
//	file      the input is the whole file
//	sections  the input comes first, then what it lacks of a good file
//	group     the input is the body of the group east, before what it lacks
//	circuit   the input is the body of the circuit dallas
//	drill     the input is the body of a drill
//
// The answer lists problems, then warnings, then what the schema alone would say.
// To accept new output: go test ./failover/config -run TestFiles -rewrite
func TestFiles(t *testing.T) {
	s := compiled(t)
	cases, refused, files := 0, 0, 0
	datadriven.Walk(t, "testdata/files", func(t *testing.T, file string) {
		files++
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			text := strings.ReplaceAll(compose(t, d), "~", subscription)
			cases++
			_, warnings, err := Parse([]byte(text))
			var b strings.Builder
			if err != nil {
				refused++
				fmt.Fprintln(&b, err)
				for _, p := range err.(Invalid) {
					if p.Line < 1 || p.Column < 1 || p.Got == "" || p.Want == "" || p.Key == "" {
						t.Errorf("%s: incomplete problem %+v", d.Pos, p)
					}
				}
			} else {
				fmt.Fprintln(&b, "ok")
			}
			for _, w := range warnings {
				fmt.Fprintln(&b, "warning:", w)
			}
			v, plain := plainValue([]byte(text))
			if plain && formOnly(err) && s.Validate(v) == nil {
				t.Errorf("%s: the schema accepts what is wrong in form: %v", d.Pos, err)
			}
			switch {
			case !plain:
				fmt.Fprintln(&b, "schema: cannot judge it")
			case s.Validate(v) != nil:
				fmt.Fprintln(&b, "schema: refuses it")
				if err == nil {
					t.Errorf("%s: the schema refuses what the parser accepts: %v", d.Pos, s.Validate(v))
				}
			default:
				fmt.Fprintln(&b, "schema: accepts it")
			}
			return strings.ReplaceAll(strings.ReplaceAll(b.String(), subscription, "~"), strings.ToLower(subscription), "~")
		})
	})
	if files > 1 && (cases < 150 || refused < 120) {
		t.Errorf("%d cases, %d of them bad: some are lost", cases, refused)
	}
}

// formOnly says whether a file is wrong in a way that a schema can see.
func formOnly(err error) bool {
	v, _ := err.(Invalid)
	return slices.ContainsFunc(v, func(p Problem) bool {
		return p.Got == unknownKey || p.Want == wantDuration || strings.HasPrefix(p.Want, "one of ") ||
			p.Got == "a list" || p.Got == "a mapping" || p.Got == "nothing"
	})
}

// compose makes the whole file of a case.
func compose(t *testing.T, d *datadriven.TestData) string {
	body := func(head, indent, defaults string) string {
		out := head
		for line := range strings.Lines(d.Input) {
			out += indent + line
		}
		out = strings.TrimRight(out, "\n") + "\n"
		for line := range strings.Lines(defaults) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
			if !strings.Contains(out, indent+name+":") {
				out += line
			}
		}
		return out
	}
	var text string
	switch d.Cmd {
	case "file":
		return d.Input
	case "sections":
		text = d.Input + "\n"
	case "group":
		text = body("groups:\n  east:\n", "    ", "    gateways: ["+subscription+"virtualNetworkGateways/gw-east]\n    preference: [ashburn, chicago, dallas]\n")
	case "circuit":
		text = body("circuits:\n  ashburn: {id: "+subscription+"expressRouteCircuits/er-ashburn}\n  chicago: {id: "+subscription+"expressRouteCircuits/er-chicago}\n  dallas:\n", "    ", "    id: "+subscription+"expressRouteCircuits/er-dallas\n")
	case "drill":
		text = body("drills:\n  monthly:\n", "    ", "    group: east\n    kind: move\n    schedule: 0 2 1 * *\n")
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	for _, s := range sections {
		if !strings.HasPrefix(text, s.name+":") && !strings.Contains(text, "\n"+s.name+":") {
			text += s.text
		}
	}
	return text
}
