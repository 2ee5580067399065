package infratest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"erfailover/failover/config"
)

// The pages that tell how to deploy.
var pages = []string{"quickstart.md", "security.md", "onprem.md", "limits.md"}

// fenced are the code blocks of a page that are in a language.
func fenced(page, language string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)\n```").FindAllStringSubmatch(page, -1) {
		out = append(out, m[1]+"\n")
	}
	return out
}

func TestDocsConfigurationsAreUsable(t *testing.T) {
	found := 0
	for _, name := range pages {
		for i, block := range fenced(text(t, "../../docs/"+name), "yaml") {
			found++
			if _, _, err := config.Parse([]byte(block)); err != nil {
				t.Errorf("%s, block %d: %v", name, i+1, err)
			}
		}
	}
	if found < 2 {
		t.Errorf("%d configurations found", found)
	}
}

func TestDocsLinksLead(t *testing.T) {
	for _, name := range pages {
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`).FindAllStringSubmatch(text(t, "../../docs/"+name), -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("../../docs", m[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Files, parameters and outputs that a page names exist.
func TestDocsNameWhatExists(t *testing.T) {
	main := templates(t)["../main.bicep"]
	var params []string
	for _, p := range main.Params {
		params = append(params, p.Name)
	}
	for _, name := range pages {
		page := text(t, "../../docs/"+name)
		for _, m := range regexp.MustCompile(`(?:^|[\s`+"`"+`])(infra/[\w./-]+)`).FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat("../../" + strings.TrimRight(m[1], ".")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, m := range regexp.MustCompile(`\b((?:CONFIG|SERVICE)_[A-Z_]+|AZURE_RESOURCE_GROUP)\b`).FindAllString(page, -1) {
			if !slices.Contains(main.Outputs, m) {
				t.Errorf("%s: main.bicep has no output %s", name, m)
			}
		}
		for _, m := range regexp.MustCompile("`(rights|streams|privateNetwork|publicApi|readScope|journalRetentionDays|logRetentionDays|[a-z]+[A-Z]\\w*Ids?|emergencyEmails|wanGateways)\\b").FindAllStringSubmatch(page, -1) {
			if !slices.Contains(params, m[1]) {
				t.Errorf("%s: main.bicep has no parameter %s", name, m[1])
			}
		}
	}
}
