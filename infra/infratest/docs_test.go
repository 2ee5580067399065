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

// The README of the folder has every parameter, every rule and every alert on ourselves.
func TestReadmeIsWhole(t *testing.T) {
	page := text(t, "../README.md")
	want := []string{"heartbeat", "failing", "deadletter", "health", "written", "servicehealth"}
	for _, p := range templates(t)["../main.bicep"].Params {
		want = append(want, p.Name)
	}
	for _, path := range []string{"../modules/circuit.bicep", "../modules/gateway.bicep", "../modules/port.bicep"} {
		for _, m := range regexp.MustCompile(`, key: '([\w-]+)'`).FindAllStringSubmatch(text(t, path), -1) {
			want = append(want, m[1])
		}
	}
	for _, name := range want {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("infra/README.md lacks %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`key: '(\w+)'\n\s+text: '([^']*)'`).FindAllStringSubmatch(text(t, "../modules/monitor.bicep"), -1) {
		if !strings.Contains(m[2], "infra/README.md: "+m[1]) || !strings.Contains(text(t, "../terraform/monitor.tf"), m[2]) {
			t.Errorf("alert %s: %s", m[1], m[2])
		}
	}
}

func TestDocsConfigurationsAreUsable(t *testing.T) {
	found := 0
	for _, name := range pages {
		for i, block := range fenced(text(t, "../../docs/"+name), "yaml") {
			if !strings.HasPrefix(block, "version:") {
				continue // a part of a file: docs/docstest reads it
			}
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
