// Package docstest holds what is written against what there is: commands and flags,
// configurations, links, and the tables that repeat something of the code.
package docstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the root of the repository, seen from here.
const root = "../.."

// text returns a file of the repository.
func text(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pages returns the Markdown files that people read, by path from the root.
func pages(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "node_modules", "testdata", "dist", "bin"}, d.Name()) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			rel, err := filepath.Rel(root, path)
			out = append(out, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(out, "README.md") || !slices.Contains(out, "docs/policy.md") {
		t.Fatalf("found %v, want the pages", out)
	}
	return out
}

// block is one fenced block of a page.
type block struct {
	page     string
	line     int // of the opening fence
	language string
	body     string
}

// fences returns the fenced blocks of a page.
func fences(page, body string) []block {
	var out []block
	var open *block
	for i, line := range strings.Split(body, "\n") {
		mark, isFence := strings.CutPrefix(strings.TrimLeft(line, " "), "```")
		switch {
		case open == nil && isFence:
			open = &block{page: page, line: i + 1, language: mark}
		case open != nil && isFence && mark == "":
			out, open = append(out, *open), nil
		case open != nil:
			open.body += line + "\n"
		}
	}
	return out
}

// blocks returns every fenced block in one of the languages.
func blocks(t *testing.T, languages ...string) []block {
	t.Helper()
	var out []block
	for _, page := range pages(t) {
		for _, b := range fences(page, text(t, page)) {
			if slices.Contains(languages, b.language) {
				out = append(out, b)
			}
		}
	}
	return out
}

// prose returns a page with its fenced blocks and comments blanked out, line for line.
func prose(body string) string {
	inside := false
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimLeft(line, " "), "```")
		if inside || fence {
			lines[i] = ""
		}
		if fence {
			inside = !inside
		}
	}
	return regexp.MustCompile(`(?s)<!--.*?-->`).ReplaceAllString(strings.Join(lines, "\n"), "")
}

// rows returns the cells of the table rows of a page's part, without head and rule.
func rows(part string) [][]string {
	var out [][]string
	lines := strings.Split(part, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || (i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|-")) {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		out = append(out, cells)
	}
	return out
}

// section returns the part of a page under a heading, up to the next heading of any level.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut("\n"+text(t, page), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", page, heading)
	}
	part, _, _ := strings.Cut(rest, "\n#")
	return part
}

// code takes the backquotes off a cell.
func code(cell string) string { return strings.Trim(cell, "`") }

// same compares two sets of names and says what is missing where.
func same(t *testing.T, what string, written, real []string) {
	t.Helper()
	for _, name := range written {
		if !slices.Contains(real, name) {
			t.Errorf("%s: the page has %s, the code has not", what, name)
		}
	}
	for _, name := range real {
		if !slices.Contains(written, name) {
			t.Errorf("%s: %s is in the code, and the page has no row for it", what, name)
		}
	}
}
