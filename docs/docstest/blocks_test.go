package docstest

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"erfailover/events"
	"erfailover/failover/config"
)

// configuration reports whether a block is a configuration of ours: behind comments it
// begins with its version.
func configuration(body string) bool {
	for line := range strings.Lines(body) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return strings.HasPrefix(line, "version:")
		}
	}
	return false
}

func TestConfigurationsAreUsable(t *testing.T) {
	count := 0
	for _, b := range blocks(t, "yaml", "yml") {
		if !configuration(b.body) {
			var any yaml.Node
			if err := yaml.Unmarshal([]byte(b.body), &any); err != nil {
				t.Errorf("%s:%d: %v", b.page, b.line, err)
			}
			continue
		}
		count++
		if _, _, err := config.Parse([]byte(b.body)); err != nil {
			t.Errorf("%s:%d: %v", b.page, b.line, err)
		}
	}
	if count < 4 {
		t.Errorf("%d configurations found", count)
	}
}

// A block of JSON is JSON, and an event of ours is taken in.
func TestJSONIsTaken(t *testing.T) {
	count := 0
	for _, b := range blocks(t, "json") {
		if v := jsontext.Value(b.body); !v.IsValid() {
			t.Errorf("%s:%d: this is no JSON", b.page, b.line)
		}
		if !strings.Contains(b.body, `"erfailover"`) {
			continue
		}
		count++
		batch := events.Parse([]byte(b.body), time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC))
		if len(batch.Signals) != 1 || len(batch.Broken) > 0 {
			t.Errorf("%s:%d: %d signals, broken: %v", b.page, b.line, len(batch.Signals), batch.Broken)
		}
	}
	if count == 0 {
		t.Error("no event found")
	}
}

// The manifest for Container Apps: its configuration, its command line, its mounts.
func TestContainerApp(t *testing.T) {
	var app struct {
		Properties struct {
			Configuration struct {
				Ingress struct {
					External   bool
					TargetPort int `yaml:"targetPort"`
				}
				Secrets []struct{ Name, Value string }
			}
			Template struct {
				Volumes []struct {
					Name    string
					Secrets []struct {
						SecretRef string `yaml:"secretRef"`
						Path      string
					}
				}
				Containers []struct {
					Args   []string
					Mounts []struct {
						Name string `yaml:"volumeName"`
						Path string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
					Probes []struct {
						Get struct{ Path string } `yaml:"httpGet"`
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text(t, "infra/containerapps/erfailover.yaml")), &app); err != nil {
		t.Fatal(err)
	}
	p := app.Properties
	if p.Configuration.Ingress.External {
		t.Error("the API is on the internet by default")
	}
	if n := len(p.Configuration.Secrets); n != 1 {
		t.Fatalf("%d secrets, want the configuration", n)
	}
	if _, _, err := config.Parse([]byte(p.Configuration.Secrets[0].Value)); err != nil {
		t.Error(err)
	}
	c, v := p.Template.Containers[0], p.Template.Volumes[0]
	if v.Secrets[0].SecretRef != p.Configuration.Secrets[0].Name || c.Mounts[0].Name != v.Name {
		t.Error("the configuration is not mounted")
	}
	args := strings.Join(c.Args, " ")
	if err := call(args, true); err != nil {
		t.Errorf("%s: %v", args, err)
	}
	if !strings.Contains(args, c.Mounts[0].Path+"/"+v.Secrets[0].Path) {
		t.Errorf("%s: not the configuration that is mounted", args)
	}
	for _, probe := range c.Probes {
		if !strings.Contains(text(t, "handlers/routes.go"), `path: "`+strings.TrimPrefix(probe.Get.Path, "/api/v1")+`"`) {
			t.Errorf("there is no %s", probe.Get.Path)
		}
	}
}

// The image: nobody's rights, nothing beside the program, a command that exists.
func TestContainerfile(t *testing.T) {
	file := text(t, "Containerfile")
	_, last, _ := strings.Cut(file, "\nFROM scratch\n")
	if last == "" {
		t.Fatal("the last stage does not begin with nothing")
	}
	if m := regexp.MustCompile(`(?m)^USER (\d+):\d+$`).FindStringSubmatch(last); m == nil || m[1] == "0" {
		t.Error("it runs as root")
	}
	m := regexp.MustCompile(`(?m)^CMD \[(.*)\]$`).FindStringSubmatch(last)
	if m == nil {
		t.Fatal("no command")
	}
	if err := call(strings.ReplaceAll(m[1], ",", " "), true); err != nil {
		t.Error(err)
	}
}

// The workflows: every action at a commit with its version beside it, rights named,
// no credentials left in the tree, commands that exist.
func TestWorkflows(t *testing.T) {
	uses := regexp.MustCompile(`^\s*(?:- )?uses: (\S+)(.*)$`)
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`)
	version := regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`)
	for _, name := range []string{".github/workflows/ci.yml", ".github/workflows/release.yml"} {
		body := text(t, name)
		var doc struct {
			Permissions any
			Jobs        map[string]struct {
				Steps []struct {
					Uses, Run string
					With      map[string]any
				}
			}
		}
		if err := yaml.Unmarshal([]byte(body), &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if doc.Permissions == nil {
			t.Errorf("%s: rights are not named", name)
		}
		for i, line := range strings.Split(body, "\n") {
			m := uses.FindStringSubmatch(line)
			if m == nil || strings.HasPrefix(m[1], "./") {
				continue
			}
			if !pinned.MatchString(m[1]) || !version.MatchString(m[2]) {
				t.Errorf("%s:%d: %s: want a commit, and its version beside it", name, i+1, m[1])
			}
		}
		for job, j := range doc.Jobs {
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
					t.Errorf("%s: job %s leaves the token in the tree", name, job)
				}
				for _, line := range lines(s.Run) {
					if m := program.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
						if err := call(m[1], true); err != nil {
							t.Errorf("%s: %s: %v", name, line, err)
						}
					}
				}
			}
		}
	}
}
