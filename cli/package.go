package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"erfailover/handlers/appzip"
)

// packageOptions are the flags of the command.
type packageOptions struct {
	out     string
	app     string
	binary  string
	config  string
	enable  []string
	apiAuth string
}

// packageCommand writes the function app as one zip.
func packageCommand() *cobra.Command {
	var o packageOptions
	c := &cobra.Command{
		Use:   "package --out app.zip",
		Short: "Write the function app as a zip that can be deployed",
		Long: `Write the function app as a zip that can be deployed.

The zip holds host.json, a folder with a function.json for every function of the
manifest, and the program. The same input gives the same bytes.`,
		Example: `  erfailover package --out app.zip
  erfailover package --out app.zip --binary dist/erfailover --config erfailover.yaml --enable Probe`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.OutOrStdout()) },
	}
	f := c.Flags()
	f.StringVar(&o.out, "out", "app.zip", "the zip to write")
	f.StringVar(&o.app, "app", ".", "the folder that holds function.json and host.json")
	f.StringVar(&o.binary, "binary", "", "the program to put in (default: this one)")
	f.StringVar(&o.config, "config", "", "a configuration to put in, as erfailover.yaml; set ERFAILOVER_CONFIG=erfailover.yaml")
	f.StringSliceVar(&o.enable, "enable", nil, "functions to switch on that the manifest has switched off, Probe")
	f.StringVar(&o.apiAuth, "api-auth", "", "who checks callers of the API: function (the host, by key) or anonymous (this program, by auth.mode)")
	return c
}

// run writes the zip beside its place and moves it there when it is whole.
func (o packageOptions) run(w io.Writer) error {
	app, err := o.read()
	if err != nil {
		return err
	}
	name := o.binary
	if name == "" {
		if name, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program; name one with --binary: %w", err)
		}
	}
	program, err := os.Open(name)
	if err != nil {
		return err
	}
	defer program.Close()
	if err := appzip.CheckProgram(program); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(o.out), ".package-*")
	if err != nil {
		return err
	}
	if err := errors.Join(app.WriteZip(tmp, program), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	if err := os.Rename(tmp.Name(), o.out); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	fmt.Fprintf(w, "%s: program %s and %d functions\n", o.out, app.Program, len(app.Functions))
	for _, f := range app.Functions {
		state := "on"
		if f.Disabled {
			state = "off (--enable " + f.Name + ")"
		}
		fmt.Fprintf(w, "  %-14s %-18s %s\n", f.Name, f.Trigger, state)
	}
	return nil
}

// read reads the app's files.
func (o packageOptions) read() (appzip.App, error) {
	manifest, err1 := os.ReadFile(filepath.Join(o.app, "function.json"))
	host, err2 := os.ReadFile(filepath.Join(o.app, "host.json"))
	if err := errors.Join(err1, err2); err != nil {
		return appzip.App{}, fmt.Errorf("read the app; name its folder with --app: %w", err)
	}
	opt := appzip.Options{Enable: o.enable, APIAuth: o.apiAuth}
	if o.config != "" {
		body, err := os.ReadFile(o.config)
		if err != nil {
			return appzip.App{}, err
		}
		opt.Files = []appzip.File{{Name: "erfailover.yaml", Body: body}}
	}
	return appzip.Read(manifest, host, opt)
}
