package handlers

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"erfailover/failover/drill"
)

// TestAnnouncementOnAPhone calls a drill off in a real Chromium as wide as a small
// phone, with scripts off. ERFAILOVER_SHOTS names a folder for pictures.
func TestAnnouncementOnAPhone(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: run `make deps`")
	}
	a, b, address := announcedBench(t)
	h := b.handler()
	srv := httptest.NewServer(h)
	defer srv.Close()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	alloc, end := chromedp.NewExecAllocator(ctx, opts...)
	defer end()
	tab, shut := chromedp.NewContext(alloc)
	defer shut()
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	look := func(name string) string {
		t.Helper()
		text, err := chromedp.Run(tab, chromedp.Text(`main`))
		if err != nil {
			t.Fatal(err)
		}
		over, err := chromedp.Run(tab, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
		if err != nil || over > 0 {
			t.Errorf("%s: the page is %d px wider than the phone (%v)", name, over, err)
		}
		if dir := os.Getenv("ERFAILOVER_SHOTS"); dir != "" {
			png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return text
	}
	do("a phone without scripts", chromedp.EmulateViewport(360, 900), func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
	do("open", chromedp.Navigate(srv.URL+address))
	if text := look("announcement"); !strings.Contains(text, "Call this drill off?") || a.verb != "" {
		t.Errorf("opened: %q, ordered %q", text, a.verb)
	}
	do("call off", chromedp.SendKeys(`#name`, "José"), chromedp.SendKeys(`#reason`, "change freeze"), chromedp.Click(`main > form > button`), chromedp.WaitVisible(`#said`))
	if text := look("announcement-off"); !strings.Contains(text, "It is called off") || a.verb != DrillCancel || a.doc.Phase != drill.Idle {
		t.Errorf("called off: %q, ordered %q, the drill is %s", text, a.verb, a.doc.Phase)
	}
	do("open a bad one", chromedp.Navigate(srv.URL+address+"x"))
	if text := look("announcement-bad"); !strings.Contains(text, "This link is not good") {
		t.Errorf("a bad link: %q", text)
	}
}
