package page

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// shots is an environment variable: a folder for screenshots, to be looked at.
const shots = "ERFAILOVER_SHOTS"

// tab is one tab of a Chromium of its own.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// TestBrowser shows the page in a real Chromium, with a profile that is thrown away.
// A machine without one fails the test: what nobody looked at is not shown to work.
func TestBrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: run `make deps`")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	ctx, stop := context.WithTimeout(context.Background(), 4*time.Minute)
	defer stop()
	alloc, end := chromedp.NewExecAllocator(ctx, opts...)
	defer end()
	first, shut := chromedp.NewContext(alloc)
	defer shut()
	if err := chromedp.Do(first); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	for name, test := range map[string]func(*testing.T, tab){
		"first screen": firstScreen, "calm": calmScreen, "order": giveOrder, "changed plan": changedPlan, "kill switch": killSwitch,
		"planned move": plannedMove, "without script": withoutScript, "updates": updates, "stale server": staleServer, "old record": oldRecord,
		"hostile texts": hostileTexts, "phone": phone, "drill order": orderDrill, "many groups": manyGroups, "keyboard": keyboard,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, shut := chromedp.NewContext(first)
			defer shut()
			b := tab{t, ctx}
			b.size(1280, 900)
			test(t, b)
		})
	}
	_ = chromedp.Cancel(first) // waits for the browser to end
}

// do runs actions that return nothing.
func (b tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// open goes to an address.
func (b tab) open(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
}

// size sets the screen.
func (b tab) size(w, h int64) {
	b.t.Helper()
	b.do("size", chromedp.EmulateViewport(w, h))
}

// command sends one command of the protocol.
func command[P any](b tab, cmd cdp.Command[P, cdp.Empty], p P) {
	b.t.Helper()
	b.do("command", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, cmd, p)
		return chromedp.Void{}, err
	})
}

// dark prefers the dark colours.
func (b tab) dark() {
	b.t.Helper()
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
}

// plain turns JavaScript off.
func (b tab) plain() {
	b.t.Helper()
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// text returns what a person reads of an element.
func (b tab) text(sel string) string {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, 10*time.Second)
	defer stop()
	got, err := chromedp.Run(ctx, chromedp.Text(sel))
	if err != nil {
		b.t.Fatalf("text of %s: %v", sel, err)
	}
	return got
}

// holds fails unless an element's text has all the words.
func (b tab) holds(sel string, words ...string) {
	b.t.Helper()
	got := b.text(sel)
	for _, w := range words {
		if !strings.Contains(got, w) {
			b.t.Errorf("%s: got %q, want it to say %q", sel, got, w)
		}
	}
}

// eval returns the value of an expression.
func eval[T any](b tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits until an expression is true.
func (b tab) until(expression string) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, 20*time.Second)
	defer stop()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "Cannot find context") || ctx.Err() != nil { // the page was left while we asked
			b.t.Fatalf("waited for %s: %v", expression, err)
		}
	}
}

// shot keeps a picture of the page, when a folder is named.
func (b tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv(shots)
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// narrow fails when the page can be scrolled sideways.
func (b tab) narrow(what string) {
	b.t.Helper()
	if over := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		b.t.Errorf("%s: the page is %d px wider than the screen", what, over)
	}
}
