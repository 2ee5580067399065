package infratest

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
)

// A parameter file gives what main.bicep has, and all that it requires.
func TestParameterFilesFit(t *testing.T) {
	params := templates(t)["../main.bicep"].Params
	for _, path := range []string{"../main.parameters.json", "../examples/observe.parameters.json", "../examples/second-region.parameters.json"} {
		var file struct {
			Parameters map[string]struct {
				Value any `json:"value"`
			} `json:"parameters"`
		}
		if err := json.Unmarshal([]byte(text(t, path)), &file); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, p := range params {
			if _, ok := file.Parameters[p.Name]; p.Required && !ok {
				t.Errorf("%s: lacks %s", path, p.Name)
			}
			delete(file.Parameters, p.Name)
		}
		for name := range file.Parameters {
			t.Errorf("%s: main.bicep has no parameter %s", path, name)
		}
		if !strings.Contains(text(t, path), `"rights": { "value": "observe" }`) {
			t.Errorf("%s: the first deployment must only observe", path)
		}
	}
}

// azd reads azure.yaml, and finds the outputs that its hook uses.
func TestAzdFindsItsWay(t *testing.T) {
	var file struct {
		Infra struct {
			Provider, Path, Module string
		}
		Hooks map[string]struct{ Shell, Run string }
	}
	body := text(t, "../../azure.yaml")
	if err := yaml.Unmarshal([]byte(body), &file); err != nil {
		t.Fatal(err)
	}
	if file.Infra.Provider != "bicep" || file.Infra.Path != "infra" || file.Infra.Module != "main" {
		t.Errorf("infra: %+v", file.Infra)
	}
	outputs := templates(t)["../main.bicep"].Outputs
	run := file.Hooks["postprovision"].Run
	for _, name := range []string{"AZURE_RESOURCE_GROUP", "SERVICE_APP_NAME"} {
		if !strings.Contains(run, "$"+name) || !slices.Contains(outputs, name) {
			t.Errorf("%s: in the hook and in the outputs (%q)", name, outputs)
		}
	}
}

func TestWorkbookIsWhole(t *testing.T) {
	var book struct {
		Version string `json:"version"`
		Items   []struct {
			Type    int    `json:"type"`
			Name    string `json:"name"`
			Content struct {
				Query string `json:"query"`
			} `json:"content"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(text(t, "../workbook/erfailover.workbook.json")), &book); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range book.Items {
		names = append(names, i.Name)
		if i.Type == 3 && i.Content.Query == "" {
			t.Errorf("%s: a query item without a query", i.Name)
		}
	}
	for _, want := range []string{"estate", "weights", "ledger", "readiness", "heartbeat"} {
		if !slices.Contains(names, want) {
			t.Errorf("the workbook lacks %s: %q", want, names)
		}
	}
}
