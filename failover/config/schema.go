package config

import (
	_ "embed" // schema.json
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of the file. It sees the form of
// every key; rules between keys are Parse's alone.
func Schema() []byte { return slices.Clone(schema) }
