package docstest

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

var (
	linkForm    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	headingForm = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *#*$`)
	idForm      = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
)

// anchors returns the anchors of a page, made of its headings as GitHub makes them.
func anchors(body string) []string {
	var out []string
	seen := map[string]int{}
	for _, m := range headingForm.FindAllStringSubmatch(prose(body), -1) {
		title := linkForm.ReplaceAllString(m[1], "")
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, title)
		if n := seen[slug]; n > 0 {
			out = append(out, slug+"-"+strconv.Itoa(n))
		} else {
			out = append(out, slug)
		}
		seen[slug]++
	}
	for _, m := range idForm.FindAllStringSubmatch(body, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestAnchors(t *testing.T) {
	got := anchors("# The way: home, now\n\n```\n# no heading\n```\n## `drift` & co\n## `drift` & co\n<a id=\"x\"></a>\n")
	want := []string{"the-way-home-now", "drift--co", "drift--co-1", "x"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// lost says why a link of a page leads nowhere, or "".
func lost(page, link string, read func(string) (string, error)) string {
	u, err := url.Parse(link)
	switch {
	case err != nil:
		return err.Error()
	case u.Scheme == "https" || u.Scheme == "mailto":
		return ""
	case u.Scheme != "" || strings.HasPrefix(u.Path, "/"):
		return "want a path from the page, or https"
	}
	target := page
	if u.Path != "" {
		target = path.Join(path.Dir(page), u.Path)
	}
	body, err := read(target)
	if err != nil {
		return err.Error()
	}
	if u.Fragment != "" && !slices.Contains(anchors(body), u.Fragment) {
		return target + " has no anchor " + u.Fragment
	}
	return ""
}

// readPage returns a page, or nothing for a folder that is there.
func readPage(name string) (string, error) {
	full := filepath.Join(root, name)
	if info, err := os.Stat(full); err != nil || info.IsDir() {
		return "", err
	}
	b, err := os.ReadFile(full)
	return string(b), err
}

func TestLinksLead(t *testing.T) {
	count := 0
	for _, page := range pages(t) {
		for i, line := range strings.Split(prose(text(t, page)), "\n") {
			for _, m := range linkForm.FindAllStringSubmatch(line, -1) {
				count++
				if why := lost(page, m[1], readPage); why != "" {
					t.Errorf("%s:%d: %s: %s", page, i+1, m[1], why)
				}
			}
		}
	}
	if count < 50 {
		t.Errorf("%d links found", count)
	}
	for _, bad := range []string{"nowhere.md", "#nowhere", "policy.md#nowhere", "http://example.com/", "/docs/policy.md"} {
		if lost("docs/events.md", bad, readPage) == "" {
			t.Errorf("%s passed", bad)
		}
	}
}

// hosts matches the hosts of package and image registries.
var hosts = regexp.MustCompile(`(?i)\b(?:registry|proxy|index|packages|crates|pypi|files\.python\w+|ghcr|gcr|quay|docker|mcr|rubygems)\.(?:\w[\w-]*\.)?(?:io|org|com|dev)\b`)

func TestNoRegistryHost(t *testing.T) {
	files := append(pages(t), "Containerfile", ".github/workflows/ci.yml", ".github/workflows/release.yml", "infra/containerapps/erfailover.yaml")
	for _, name := range files {
		for i, line := range strings.Split(text(t, name), "\n") {
			if m := hosts.FindString(line); m != "" {
				t.Errorf("%s:%d: names the registry %s; a reader's own may be another", name, i+1, m)
			}
		}
	}
	for _, host := range []string{"registry.example.org", "ghcr" + ".io", "proxy.example.dev"} {
		if !hosts.MatchString("see " + host + "/x") {
			t.Errorf("%s passed", host)
		}
	}
}

func TestChangelog(t *testing.T) {
	order := []string{"[CHANGE]", "[FEATURE]", "[ENHANCEMENT]", "[BUGFIX]"}
	heading := regexp.MustCompile(`^## (Unreleased|v?\d+\.\d+\.\d+\S* \(\d{4}-\d{2}-\d{2}\))$`)
	at, lines := 0, 0
	for i, line := range strings.Split(text(t, "CHANGELOG.md"), "\n") {
		switch {
		case strings.HasPrefix(line, "## "):
			at = 0
			if !heading.MatchString(line) {
				t.Errorf("CHANGELOG.md:%d: %q, want Unreleased, or a version and its day", i+1, line)
			}
		case strings.HasPrefix(line, "* ") || strings.HasPrefix(line, "- "):
			lines++
			tag, _, _ := strings.Cut(line[2:], " ")
			rank := slices.Index(order, tag)
			if rank < 0 || rank < at {
				t.Errorf("CHANGELOG.md:%d: tag %s, want one of %v, in this order", i+1, tag, order)
			}
			at = max(at, rank)
		}
	}
	if lines == 0 {
		t.Error("no lines")
	}
}
