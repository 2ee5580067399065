package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
)

// canary stands for a secret that must not come out anywhere.
const canary = "c4n4ry"

// TestSecretsNeverShow puts a secret wherever an operator may put one, rightly or
// wrongly, and looks for it in everything that people and machines are shown.
func TestSecretsNeverShow(t *testing.T) {
	for _, text := range []string{
		"notify: [{teams: \"https://t.test/" + canary + "\", for: [drill]}]",
		"notify: [{teams: \"https://t.test/?sig=" + canary + "\", for: [drill]}]",
		"notify: [{teams: \"http://t.test/" + canary + "\", for: [drill]}]",
		"notify: [{slack: \" " + canary + "\", for: [drill]}]",
		"notify: [{slack: [" + canary + "], for: [drill]}]",
		"notify: [{slack: {url: " + canary + "}, for: [drill]}]",
		"notify: [{pagerduty: " + canary + ", for: [drill]}]",
		"notify: [{pagerduty: \"env:" + canary + "-\", for: [drill]}]",
		"notify: [{pagerduty: " + canary + ", slack: " + canary + ", for: [drill]}]",
		"notify: [{eventHub: " + canary + ", for: [drill]}]",
		"notify: [{pagerdooty: " + canary + ", for: [drill]}]",
		"auth: {mode: functionKey, keys: {reader: " + canary + "}}",
		"auth: {mode: functionKey, keys: {reader: {key: " + canary + "}}}",
		"auth: {mode: functionKey, key: " + canary + "}",
		"azure: {clientSecret: " + canary + "}",
		"record: {blob: {account: \"https://a.test/?sv=1&sig=" + canary + "\", container: abc}}",
		"record: {blob: {account: \"https://user:" + canary + "@a.test/\", container: abc}}",
		"record: {bolt: 5, blob: \"AccountKey=" + canary + "\"}",
		"azure: {cloud: \"Bearer " + canary + "\"}",
	} {
		for _, s := range sections {
			text += "\n" + s.text
		}
		c, warnings, err := Parse([]byte(text))
		shown := fmt.Sprintf("%v %+v %#v %v %s", c, c, c, warnings, c.Render())
		if err != nil {
			shown += fmt.Sprintf("%v %+v", err, err.(Invalid))
		}
		encoded, jsonErr := json.Marshal(c.Notify)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		if i := strings.Index(shown+string(encoded), canary); i >= 0 {
			t.Errorf("%s\nis shown: ...%s", strings.SplitN(text, "\n", 2)[0], (shown + string(encoded))[max(0, i-60):i+6])
		}
	}
}

func TestResolve(t *testing.T) {
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"SET": "value", "EMPTY": ""}[name]
		return v, ok
	}
	for s, want := range map[Secret]string{"env:SET": "value", "literal": "literal"} {
		if got, err := s.Resolve(lookup); got != want || err != nil {
			t.Errorf("%#v: %q, %v", s, got, err)
		}
	}
	for _, s := range []Secret{"env:UNSET", "env:EMPTY"} {
		if _, err := s.Resolve(lookup); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), s.Env()) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestShow(t *testing.T) {
	for in, want := range map[string]string{
		"":                      `""`,
		"30 s":                  "30 s",
		" x":                    `" x"`,
		"a\nb\x1b[31m":          "a.b.[31m",
		"https://x.test/p":      "https://x.test/p",
		"https://x.test/?a=b":   hidden,
		"https://u@x.test/":     hidden,
		"SharedAccessKey=abc":   hidden,
		"sv=1&sig=abc":          hidden,
		"x?code=abc":            hidden,
		strings.Repeat("ä", 60): strings.Repeat("ä", 12) + "..." + strings.Repeat("ä", 26),
		strings.Repeat("x", 80): strings.Repeat("x", 80),
		"/head" + strings.Repeat("x", 90) + "tail": "/head" + strings.Repeat("x", 19) + "..." + strings.Repeat("x", 49) + "tail",
	} {
		if got := show(in); got != want {
			t.Errorf("show(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"groups", "holdDown", "holdUp", "limits", "mode"}
	for word, want := range map[string]string{
		"groop": "groups", "holdown": "holdDown", "HOLDUP": "holdUp", "limit": "limits", "moed": "mode",
		"hold_up": "holdUp", "zzz": "", "x": "", strings.Repeat("h", 1000): "",
	} {
		_, got, _ := strings.Cut(suggest(word, known), "; did you mean ")
		if strings.TrimSuffix(got, "?") != want {
			t.Errorf("%s: suggests %q, want %q", word, got, want)
		}
	}
}
