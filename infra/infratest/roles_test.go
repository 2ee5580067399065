package infratest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// golden are the actions of testdata/roles.txt by list.
func golden(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/roles.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	var now string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "  "):
			out[now] = append(out[now], strings.TrimSpace(line))
		default:
			now = line
		}
	}
	return out
}

// The list of a role is changed on purpose or not at all.
func TestRolesAreGolden(t *testing.T) {
	want := golden(t)
	bicep := templates(t)["../modules/roles.bicep"].Lists
	text, err := os.ReadFile("../terraform/roles.tf")
	if err != nil {
		t.Fatal(err)
	}
	for role, variable := range map[string][2]string{
		"observer": {"observerActions", "observer_actions"},
		"operator": {"operatorActions", "operator_actions"},
		"drill":    {"drillActions", "drill_actions"},
	} {
		if got := bicep[variable[0]]; !slices.Equal(got, want[role]) {
			t.Errorf("Bicep, %s:\n got %q\nwant %q", variable[0], got, want[role])
		}
		if got := hclList(string(text), variable[1]); !slices.Equal(got, want[role]) {
			t.Errorf("Terraform, %s:\n got %q\nwant %q", variable[1], got, want[role])
		}
	}
}

// hclList reads a list of plain strings.
func hclList(text, name string) []string {
	m := regexp.MustCompile(`(?s)\b` + name + `\s*=\s*\[(.*?)\n\s*\]`).FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	var out []string
	for _, s := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(m[1], -1) {
		out = append(out, s[1])
	}
	return out
}

// What a stolen identity could do is bounded by what no role holds.
func TestRolesHoldNothingBroad(t *testing.T) {
	for role, actions := range golden(t) {
		for _, a := range actions {
			low := strings.ToLower(a)
			switch {
			case a == "*" || strings.HasPrefix(a, "*") || strings.Count(a, "*") > 1:
				t.Errorf("%s: %s is too broad", role, a)
			case strings.HasSuffix(low, "/delete"), strings.Contains(low, "sharedkey"), strings.Contains(low, "/register/"), strings.Contains(low, "authorization"):
				t.Errorf("%s: %s must not be held", role, a)
			case strings.HasSuffix(low, "/write") && role != "operator":
				t.Errorf("%s: %s: only the operator writes", role, a)
			case strings.HasSuffix(a, "/*") && !strings.Contains(a, "/arpTables/") && !strings.Contains(a, "/routeTables"):
				t.Errorf("%s: %s: the wildcard is for ARP and route tables", role, a)
			}
		}
	}
	// The default must be the one that can move nothing.
	for _, p := range templates(t)["../main.bicep"].Params {
		if p.Name == "rights" && !strings.Contains(p.Decorators, "'observe', 'operate', 'drill'") {
			t.Errorf("rights: %s", p.Decorators)
		}
	}
	main := text(t, "../main.bicep")
	if !strings.Contains(main, "param rights string = 'observe'") || !strings.Contains(text(t, "../terraform/variables.tf"), `default     = "observe"`) {
		t.Error("rights does not default to observe")
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sources are all files that are written by hand below infra, and azure.yaml.
func sources(t *testing.T) []string {
	t.Helper()
	out := []string{"../../azure.yaml"}
	err := filepath.WalkDir("..", func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "node_modules" || d.Name() == ".terraform" || d.Name() == "infratest" {
				return filepath.SkipDir
			}
			return nil
		}
		out = append(out, p)
		return nil
	})
	if err != nil || len(out) < 20 {
		t.Fatalf("%d files: %v", len(out), err)
	}
	return out
}

// secret is what a template must not hold, and what would fetch it.
var secret = regexp.MustCompile(`(?i)listKeys\(|listAccountSas|SharedAccessKey=|AccountKey=|sig=[A-Za-z0-9%]{16}|primary_(access_key|connection_string|shared_key)|secondary_access_key|service_?key\s*[:=]\s*['"][^'"$]|authorization_?key\s*[:=]\s*['"][^'"$]|shared_?key\s*[:=]\s*['"]|client_secret|password\s*[:=]\s*['"]|-----BEGIN`)

func TestNoSecrets(t *testing.T) {
	for _, path := range sources(t) {
		for i, line := range strings.Split(text(t, path), "\n") {
			if m := secret.FindString(line); m != "" {
				t.Errorf("%s:%d: %s", path, i+1, m)
			}
		}
	}
	for _, leak := range []string{"value: listKeys(a.id, '2023-05-01').keys[0].value", "Endpoint=sb://a/;SharedAccessKey=abc", "authorizationKey: 'abc'", "key = azurerm_storage_account.a.primary_access_key"} {
		if !secret.MatchString(leak) {
			t.Errorf("not noticed: %s", leak)
		}
	}
}

// No keys: what takes a key is told to refuse it.
func TestKeysAreRefused(t *testing.T) {
	for path, want := range map[string][]string{
		"../modules/storage.bicep": {"allowSharedKeyAccess: false", "allowBlobPublicAccess: false", "isVersioningEnabled: true", "publicNetworkAccess: private ? 'Disabled' : 'Enabled'"},
		"../modules/hub.bicep":     {"disableLocalAuth: streams != 'hub'", "managedIdentity: senderPrincipalId", "useCommonAlertSchema: true"},
		"../modules/monitor.bicep": {"DisableLocalAuth: true", "disableLocalAuth: true"},
		"../modules/app.bicep":     {"httpsOnly: true", "ftpsState: 'Disabled'", "properties: { allow: false }", "name: 'custom', version: '1.0'", "type: 'UserAssignedIdentity'"},
		"../terraform/storage.tf":  {"shared_access_key_enabled       = false", "allow_nested_items_to_be_public = false", "versioning_enabled = true"},
		"../terraform/hub.tf":      {`local_authentication_enabled = var.streams == "hub"`},
		"../terraform/app.tf":      {`runtime = { name = "custom", version = "1.0" }`, `= "UserAssignedIdentity"`},
	} {
		for _, w := range want {
			if !strings.Contains(text(t, path), w) {
				t.Errorf("%s: lacks %q", path, w)
			}
		}
	}
}

// The settings of the app are those that the program, its functions and the sample
// for local work know. Settings by identity replace one connection string each.
func TestSettingsAreTheSamples(t *testing.T) {
	var sample struct {
		Values map[string]string `json:"Values"`
	}
	if err := json.Unmarshal([]byte(text(t, "../../local.settings.sample.json")), &sample); err != nil {
		t.Fatal(err)
	}
	have := templates(t)["../modules/app.bicep"].Objects["settings"]
	var bases []string
	for _, name := range have {
		base, _, _ := strings.Cut(name, "__")
		bases = append(bases, base)
	}
	for name := range sample.Values {
		if name != "FUNCTIONS_WORKER_RUNTIME" && !slices.Contains(bases, name) { // the runtime is in functionAppConfig
			t.Errorf("app.bicep lacks %s of local.settings.sample.json", name)
		}
	}
	for _, base := range bases {
		if _, ok := sample.Values[base]; !ok && base != "APPLICATIONINSIGHTS_AUTHENTICATION_STRING" { // only with an identity
			t.Errorf("app.bicep sets %s, which local.settings.sample.json does not know", base)
		}
	}
	for _, m := range regexp.MustCompile(`%([A-Z_]+)%`).FindAllStringSubmatch(text(t, "../../function.json"), -1) {
		if !slices.Contains(bases, m[1]) {
			t.Errorf("function.json wants %s, which app.bicep does not set", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`"connection": *"(\w+)"`).FindAllStringSubmatch(text(t, "../../function.json"), -1) {
		if !slices.Contains(have, m[1]+"__fullyQualifiedNamespace") {
			t.Errorf("function.json wants the connection %s, which app.bicep does not set", m[1])
		}
	}
	tf := text(t, "../terraform/app.tf")
	for _, name := range have {
		if !regexp.MustCompile(`(?m)^\s*` + name + `\s*=`).MatchString(tf) {
			t.Errorf("terraform/app.tf lacks the setting %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`function:(\w+)`).FindAllStringSubmatch(text(t, "../modules/app.bicep"), -1) {
		if !strings.Contains(text(t, "../../function.json"), `"`+m[1]+`": {`) {
			t.Errorf("app.bicep keeps %s warm, which function.json does not have", m[1])
		}
	}
}
