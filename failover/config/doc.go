// Package config turns the operator's YAML file into checked rules.
//
//	bytes ──▶ nodes ──▶ Config over Default ──▶ Check ──▶ Config, warnings
//	            │              │                  │
//	            └── problems ──┴──── all of them ─┘──▶ Invalid
//
// Every problem is told at once, each with its key, its line and column, the value
// found and the rule. Nothing is guessed: an unknown key, a bare number where a
// duration belongs, a YAML alias and a second document are problems.
//
// The package is pure: it opens no file and reads no environment. A value
// "env:NAME" stays a reference until Secret.Resolve is given a way to look it up.
// The one thing it takes from the machine is the time zone database.
package config
