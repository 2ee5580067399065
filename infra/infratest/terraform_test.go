package infratest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"erfailover/failover/armnet"
)

// terraform finds the program. Where CI is set it has to be there; elsewhere its
// absence is said and not hidden: the check is then not done.
func terraform(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("terraform")
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") != "":
		t.Fatal("terraform is not installed, and CI is set: install terraform 1.9 or later")
	default:
		t.Log("NOT CHECKED: terraform is not installed; install 1.9 or later to check the formatting")
	}
	return ""
}

func TestTerraformIsFormatted(t *testing.T) {
	program := terraform(t)
	if program == "" {
		return
	}
	rc := filepath.Join(t.TempDir(), "rc")
	broken := filepath.Join(t.TempDir(), "main.tf")
	if err := errors.Join(os.WriteFile(rc, nil, 0o600), os.WriteFile(broken, []byte("locals {\n a=1\n}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	check := func(dir string) ([]byte, error) {
		cmd := exec.Command(program, "fmt", "-check", "-recursive", "-diff", dir)
		cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+rc)
		return cmd.CombinedOutput()
	}
	if out, err := check("../terraform"); err != nil {
		t.Errorf("%v: run `terraform fmt -recursive infra/terraform`\n%s", err, out)
	}
	if _, err := check(filepath.Dir(broken)); err == nil {
		t.Error("a file that is not formatted was not noticed")
	}
}

// Terraform makes the same things as Bicep: every azapi type and version is one that
// the Bicep templates use, and so one that is checked.
func TestTerraformTypesAreBiceps(t *testing.T) {
	var known []string
	for _, f := range templates(t) {
		for _, r := range f.Resources {
			known = append(known, r.Type)
		}
	}
	found := 0
	for _, path := range terraformFiles(t) {
		for _, m := range regexp.MustCompile(`type\s*=\s*"(Microsoft\.[^"]+@[^"]+)"`).FindAllStringSubmatch(text(t, path), -1) {
			found++
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s: %s is in no Bicep template", path, m[1])
			}
		}
	}
	if found < 8 {
		t.Errorf("only %d types found: is the pattern right?", found)
	}
}

func terraformFiles(t *testing.T) []string {
	t.Helper()
	a, err := filepath.Glob("../terraform/*.tf")
	if err != nil {
		t.Fatal(err)
	}
	b, err := filepath.Glob("../terraform/examples/*/*.tf")
	if err != nil || len(a) == 0 || len(b) == 0 {
		t.Fatal("no files", err)
	}
	return append(a, b...)
}

// Every parameter has its variable and the same default where both are plain.
func TestTerraformVariablesAreBicepsParameters(t *testing.T) {
	vars := text(t, "../terraform/variables.tf")
	other := map[string]string{"instanceMemoryMB": "instance_memory_mb", "pagerDutySecretUri": "pagerduty_secret_uri", "resourceGroupName": ""}
	for _, p := range templates(t)["../main.bicep"].Params {
		name, ok := other[p.Name]
		if !ok {
			name = regexp.MustCompile(`[A-Z]`).ReplaceAllStringFunc(p.Name, func(s string) string { return "_" + strings.ToLower(s) })
		}
		if name != "" && !strings.Contains(vars, `variable "`+name+`" {`) {
			t.Errorf("terraform/variables.tf lacks %s", name)
		}
	}
	bicep := text(t, "../main.bicep")
	for _, m := range regexp.MustCompile(`(?m)^param (\w+) (?:int|bool|string) = ('[^'$]*'|\d+|true|false)$`).FindAllStringSubmatch(bicep, -1) {
		name, ok := other[m[1]]
		if !ok {
			name = regexp.MustCompile(`[A-Z]`).ReplaceAllStringFunc(m[1], func(s string) string { return "_" + strings.ToLower(s) })
		}
		want := strings.ReplaceAll(m[2], "'", `"`)
		if name == "public_api" {
			want = "true" // Bicep has Azure's own word
		}
		block := regexp.MustCompile(`(?s)variable "` + name + `" \{(.*?)\n\}`).FindStringSubmatch(vars)
		if block == nil || !regexp.MustCompile(`default\s*=\s*`+regexp.QuoteMeta(want)+`\n`).MatchString(block[1]+"\n") {
			t.Errorf("%s: the default in terraform is not %s", m[1], want)
		}
	}
}

// Alert rules: what is fed must be what the events package reads, in both languages.
func TestAlertRulesSuitTheParser(t *testing.T) {
	tf := text(t, "../terraform/alerts.tf")
	for path, f := range templates(t) {
		for _, r := range f.Resources {
			if !strings.HasPrefix(r.Type, "Microsoft.Insights/metricAlerts@") {
				continue
			}
			body := text(t, path)
			if n := strings.Count(body, "autoMitigate: true"); n != 1 || strings.Contains(body, "autoMitigate: false") {
				t.Errorf("%s: the rule has to tell of recovery: autoMitigate: true", path)
			}
			if len(r.Names["properties"]["criteria"]["allOf"]["dimensions"]) == 0 {
				t.Errorf("%s: an unsplit rule cannot tell one dead link from two", path)
			}
			for _, m := range regexp.MustCompile(`\{ metric: '(\w+)', key: '([\w-]+)'(?:, operator: '(\w+)')?(?:, threshold: (-?\d+))?`).FindAllStringSubmatch(body, -1) {
				want := m[2] + " *= \\{ metric = \"" + m[1] + `"`
				if m[3] != "" {
					want += `, operator = "` + m[3] + `"`
				}
				if m[4] != "" {
					want += ", threshold = " + m[4]
				}
				if !regexp.MustCompile(want).MatchString(tf) {
					t.Errorf("terraform/alerts.tf lacks %s", want)
				}
			}
			for _, m := range regexp.MustCompile(`name: '(\w+)', operator: 'Include'`).FindAllStringSubmatch(body, -1) {
				if !strings.Contains(tf, `"`+m[1]+`"`) {
					t.Errorf("terraform/alerts.tf does not split by %s", m[1])
				}
			}
		}
	}
	if !strings.Contains(tf, "autoMitigate        = true") {
		t.Error("terraform/alerts.tf: autoMitigate")
	}
}

// The pact: whatever writes connections by Terraform leaves our weight and our tag.
func TestTerraformLeavesWeightsAlone(t *testing.T) {
	pact := `ignore_changes = [routing_weight, tags["` + armnet.EpochTag + `"]]`
	connections := 0
	for _, path := range terraformFiles(t) {
		body := text(t, path)
		for _, kind := range []string{"azurerm_virtual_network_gateway_connection", "azurerm_express_route_connection"} {
			n := strings.Count(body, `resource "`+kind+`"`)
			connections += n
			if n > 0 && strings.Count(body, pact) < 1+n {
				t.Errorf("%s: each %s needs %s, and the comment has to say so", path, kind, pact)
			}
		}
	}
	if connections == 0 {
		t.Error("no connection in the Terraform examples")
	}
	if !strings.Contains(text(t, "../../docs/limits.md"), "ignore_changes") {
		t.Error("docs/limits.md does not tell of the pact")
	}
}

// What a file refers to is declared in the folder.
func TestTerraformReferencesAreDeclared(t *testing.T) {
	for _, dir := range []string{"../terraform", "../terraform/examples/estate"} {
		files, err := filepath.Glob(dir + "/*.tf")
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		var all strings.Builder
		for _, f := range files {
			all.WriteString(regexp.MustCompile(`(?m)#.*$`).ReplaceAllString(text(t, f), ""))
		}
		declared := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^(?:resource|data) "(\w+)" "(\w+)"`).FindAllStringSubmatch(all.String(), -1) {
			declared[m[1]+"."+m[2]] = true
		}
		for _, m := range regexp.MustCompile(`(?m)^variable "(\w+)"`).FindAllStringSubmatch(all.String(), -1) {
			declared["var."+m[1]] = true
		}
		for _, m := range regexp.MustCompile(`\b((?:azurerm|azapi)_\w+|var)\.(\w+)`).FindAllStringSubmatch(all.String(), -1) {
			if ref := m[1] + "." + m[2]; !declared[ref] {
				t.Errorf("%s: %s is declared nowhere", dir, ref)
			}
		}
	}
}
