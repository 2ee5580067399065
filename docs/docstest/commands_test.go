package docstest

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"erfailover/cli"
)

var (
	// program is how a line calls us, after a prompt and settings of the environment.
	program = regexp.MustCompile(`^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:go run \. |(?:\./|bin/|dist/)?erfailover )(.*)$`)
	// inline is a call of ours within a sentence.
	inline = regexp.MustCompile("`((?:go run \\. |erfailover )[^`]+)`")
	// makes is a call of make.
	makes = regexp.MustCompile(`^(?:\$ )?make ([a-z-]+)`)
)

// split cuts one command off a line of shell: words and quotes, up to what ends it.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	started := false
	flush := func() {
		if started {
			words = append(words, word.String())
		}
		word.Reset()
		started = false
	}
scan:
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, started = r, true
		case r == ' ' || r == '\t':
			flush()
		case strings.ContainsRune("|;&><", r), r == '#' && !started:
			break scan
		default:
			word.WriteRune(r)
			started = true
		}
	}
	flush()
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	return words, nil
}

// call says what is wrong with a call of ours, or nil. A sentence may name a command
// without its arguments.
func call(line string, whole bool) error {
	words, err := split(line)
	if err != nil {
		return err
	}
	tree := cli.Commands()
	tree.InitDefaultHelpCmd()
	tree.InitDefaultCompletionCmd()
	c, rest, err := tree.Find(words)
	if err != nil {
		return err
	}
	if len(words) > 0 && c == tree && !strings.HasPrefix(words[0], "-") {
		return errors.New("there is no such command")
	}
	c.InitDefaultHelpFlag()
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if !whole && len(c.Flags().Args()) == 0 {
		return nil
	}
	if c.HasSubCommands() && !c.Runnable() && c != tree && len(c.Flags().Args()) > 0 {
		return errors.New("there is no such command below " + c.Name())
	}
	return c.ValidateArgs(c.Flags().Args())
}

// lines returns the lines of a block of shell, with continued ones joined.
func lines(body string) []string {
	return strings.Split(strings.ReplaceAll(body, "\\\n", " "), "\n")
}

func TestCommandsExist(t *testing.T) {
	count := 0
	for _, b := range blocks(t, "", "sh", "console", "bash", "shell") {
		for _, line := range lines(b.body) {
			if m := program.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				count++
				if err := call(m[1], true); err != nil {
					t.Errorf("%s:%d: %s: %v", b.page, b.line, line, err)
				}
			}
		}
	}
	for _, page := range pages(t) {
		for i, line := range strings.Split(prose(text(t, page)), "\n") {
			for _, m := range inline.FindAllStringSubmatch(line, -1) {
				count++
				if err := call(program.FindStringSubmatch(m[1])[1], false); err != nil {
					t.Errorf("%s:%d: %s: %v", page, i+1, m[1], err)
				}
			}
		}
	}
	if count < 30 {
		t.Errorf("%d calls found", count)
	}
	for _, bad := range []string{"frobnicate", "status --nothing", "config frob", "journal show", "failover east west", "explain 'east", "drill east --limit soon"} {
		if call(bad, true) == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

// The examples that commands give of themselves hold too.
func TestExamplesOfCommands(t *testing.T) {
	count := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, line := range lines(c.Example) {
			m := program.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				continue
			}
			count++
			if err := call(m[1], true); err != nil {
				t.Errorf("%s: %s: %v", c.CommandPath(), line, err)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(cli.Commands())
	if count < 3 {
		t.Errorf("%d examples found", count)
	}
}

func TestMakeTargetsExist(t *testing.T) {
	var targets []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(text(t, "Makefile"), -1) {
		targets = append(targets, m[1])
	}
	count := 0
	check := func(where, line string) {
		if m := makes.FindStringSubmatch(line); m != nil {
			if count++; !slices.Contains(targets, m[1]) {
				t.Errorf("%s: there is no make %s", where, m[1])
			}
		}
	}
	for _, b := range blocks(t, "", "sh", "console", "bash", "shell") {
		for _, line := range lines(b.body) {
			check(b.page, strings.TrimSpace(line))
		}
	}
	for _, page := range pages(t) {
		for _, m := range regexp.MustCompile("`(make [^`]+)`").FindAllStringSubmatch(prose(text(t, page)), -1) {
			check(page, m[1])
		}
	}
	if count < 5 {
		t.Errorf("%d calls of make found", count)
	}
}

// Every command stands in some page, so that a reader can meet it.
func TestCommandsAreWritten(t *testing.T) {
	all := ""
	for _, page := range pages(t) {
		all += text(t, page)
	}
	for _, c := range cli.Commands().Commands() {
		if name := c.Name(); name != "completion" && name != "help" && !regexp.MustCompile(`(?:erfailover|go run \.) (?:[a-z|]+\|)?`+name+`\b`).MatchString(all) {
			t.Errorf("no page tells of erfailover %s", name)
		}
	}
}
