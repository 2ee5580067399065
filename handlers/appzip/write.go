package appzip

import (
	"archive/zip"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// WriteZip writes the app as a zip. Equal input gives equal bytes: entries come in
// a fixed order and carry a fixed time. The program has mode 0755 and every entry
// is marked as made on Unix, without which the host cannot start it.
func (a App) WriteZip(w io.Writer, program io.Reader) error {
	z := zip.NewWriter(w)
	for _, f := range a.entries() {
		if err := addEntry(z, f.Name, 0o644, f.Body, nil); err != nil {
			return err
		}
	}
	if err := addEntry(z, a.Program, 0o755, nil, program); err != nil {
		return err
	}
	return z.Close()
}

// addEntry writes one file of a zip, from body or from r.
func addEntry(z *zip.Writer, name string, mode fs.FileMode, body []byte, r io.Reader) error {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(mode)
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	if r != nil {
		_, err = io.Copy(w, r)
	} else {
		_, err = w.Write(body)
	}
	return err
}

// entries lists every file but the program, in the order of the zip.
func (a App) entries() []File {
	out := []File{{Name: "host.json", Body: a.Host}}
	out = append(out, a.Files...)
	for _, f := range a.Functions {
		out = append(out, File{Name: f.Name + "/function.json", Body: f.JSON})
	}
	return out
}

// WriteDir writes the app into a folder, without the program.
func (a App) WriteDir(dir string) error {
	for _, f := range a.entries() {
		at := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, f.Body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// CheckProgram says whether a program can run where the host runs: Linux on
// x86-64, linked statically.
func CheckProgram(r io.ReaderAt) error {
	const how = "build it with CGO_ENABLED=0 GOOS=linux GOARCH=amd64"
	f, err := elf.NewFile(r)
	if err != nil {
		return fmt.Errorf("the program is not a Linux program (no ELF file): %s", how)
	}
	if f.Machine != elf.EM_X86_64 {
		return fmt.Errorf("the program is for %s, want x86-64: %s", f.Machine, how)
	}
	libs, err := f.ImportedLibraries()
	if err != nil {
		libs = nil // a static program has no table of libraries
	}
	if len(libs) > 0 {
		return fmt.Errorf("the program needs shared libraries (%v): %s", libs, how)
	}
	return nil
}
