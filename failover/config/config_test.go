package config

import (
	"os"
	"testing"
	_ "time/tzdata"
)

func example(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestExampleIsAccepted(t *testing.T) {
	c, warnings, err := Parse(example(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	again, _, err := Parse(c.Render())
	if err != nil {
		t.Fatalf("%v\n%s", err, c.Render())
	}
	if again.Hash() != c.Hash() {
		t.Errorf("hash %s became %s", c.Hash(), again.Hash())
	}
	t.Logf("%s\n%+v", c.Render(), c.Topology())
}
