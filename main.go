// Command erfailover moves Azure ExpressRoute traffic off a bad circuit, proves
// that it moved, and brings it home.
//
// It runs as the custom handler of a function app (erfailover handler), and shows
// all of it on a simulated estate without an account (erfailover demo).
package main

import (
	_ "embed"
	"os"
	_ "time/tzdata" // windows and schedules need zones where the system has none

	"erfailover/cli"
)

//go:embed function.json
var manifest []byte

//go:embed host.json
var host []byte

func main() {
	os.Exit(cli.Main(cli.Assets{Manifest: manifest, Host: host}, os.Args[1:], os.Stdout, os.Stderr))
}
