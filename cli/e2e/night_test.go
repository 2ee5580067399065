//go:build unix

package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-json-experiment/json"
)

// shots is a folder for screenshots of the night, to be looked at.
var shots = flag.String("shots", "", "TestNight: write screenshots into this folder")

// slow is how long one step may take on a machine that has a lot to do.
const slow = 2 * time.Minute

// night is one engineer's night on the demo estate: a browser on a phone, a terminal
// and curl.
type night struct {
	*testing.T
	url   string // of the program, without /api
	ctx   context.Context
	words io.Writer // to the estate
	story *story
	shot  int
}

// TestNight runs through a night: the outage is seen on the page, the automation's own
// proposal is cancelled, the plan is shown, orders are given from the page, from the
// command line and by curl, each approved by another person, traffic is brought home,
// and a planned move is made and called off. All of it on a screen of 360 pixels. To
// see it: go test ./cli/e2e -run TestNight -shots /tmp/night
//
// It runs by itself: beside forty programs a browser is slower than its people are.
func TestNight(t *testing.T) {
	n := newNight(t)
	page := n.url + "/api/?code=function"

	n.open(page)
	n.reads("#answers", "No. All 3 groups are well")
	n.look("calm")

	n.say("bad")
	n.until(`/Yes|Look|▶/.test(document.querySelector("#answers .big").textContent) && document.querySelector("#answers").textContent.includes("ashburn")`)
	n.look("outage")
	n.until(`document.querySelector("#answers").textContent.includes("Waits for you")`)
	n.reads("#answers", "east", "ashburn is down")
	n.look("proposal")

	// The proposal is called off from the page; a pause keeps the automation from
	// proposing it again.
	if out, code := n.command("ana", "pause", "east", "--for", "8h", "--reason", "ana has it", "--yes"); code != 0 {
		t.Errorf("pause: exit %d\n%s", code, out)
	}
	n.press(`#answers a[href*="do=cancel"]`, "form.order") // no scrolling

	n.fill("ana", "east")
	n.reads("#told", "Cancel: your order was taken")
	n.await("the proposal is cancelled", func() bool { return len(n.ended("cancelled")) == 1 })

	// Ordered from the page, plan first, and approved from the terminal.
	n.open(page)
	n.press(`#card-east a[href*="do=failover"]`, "form.order")
	n.do(chromedp.SendKeys(`#reason`, "35 % loss on ashburn"), chromedp.Click(`form.order button`), chromedp.WaitVisible(`#plan`))
	n.reads("#plan", "Failover ashburn → chicago", "3 writes", "gw-east-1", "100 → 201")
	n.look("plan")
	n.fill("ana", "east")
	n.until(`document.querySelector("main").textContent.includes("Waits for a person to approve")`)
	n.reads("main", "Approve …")
	n.look("waits")
	if out, code := n.command("ana", "approve", "east", "--yes"); code != 3 || !strings.Contains(out, "must not be the requester") {
		t.Errorf("ana approves her own order: exit %d\n%s", code, out)
	}
	if out, code := n.command("ben", "approve", "east", "--yes"); code != 0 || !strings.Contains(out, "PROVEN") {
		t.Errorf("ben approves: exit %d\n%s", code, out)
	}
	n.until(`document.querySelector("main").textContent.includes("proven")`)
	n.look("proven")
	n.open(page)
	n.reads("#answers", "chicago instead of its home ashburn")
	n.look("standby")

	// Ordered from the terminal, approved from the page.
	out, code := n.command("ana", "switchover", "central", "--to", "newark", "--reason", "fibre work", "--yes")
	if code != 4 || !strings.Contains(out, "erfailover approve central") {
		t.Errorf("ana orders a switchover: exit %d\n%s", code, out)
	}
	n.open(page + "&group=central")
	n.press(`#acts a[href*="do=approve"]`, "form.order")
	n.reads("main", "Switchover chicago → newark", "ordered by ana")
	n.look("approve")
	n.fill("ben", "central")
	n.until(`document.querySelector("#summary").textContent.includes("of 3 writes") || document.querySelector("#recent")`)
	n.look("running")
	n.await("the switchover is proven", func() bool { return n.group("central").Active == "newark" && len(n.ended("proven")) == 2 })

	// Repaired; ordered home by curl, approved by curl.
	n.say("good")
	n.await("ashburn is healthy", func() bool { return n.group("east").Home == "healthy" })
	status, body := n.curl("ana", "east/failback", `{"overrides":["hold-up","observers-stale","damped"],"reason":"home is back"}`)
	var o struct{ State, Operation, Plan string }
	if err := json.Unmarshal([]byte(body), &o, json.MatchCaseInsensitiveNames(true)); err != nil || status != 202 || o.State != "waits" {
		t.Fatalf("ana orders a failback: %d %s %v", status, body, err)
	}
	if status, body := n.curl("ben", "east/approve", `{"operation":"`+o.Operation+`"}`); status != 400 || !strings.Contains(body, "/plan") {
		t.Errorf("an approval without a plan: %d %s", status, body)
	}
	if status, body := n.curl("ben", "east/approve", `{"operation":"`+o.Operation+`","plan":"`+o.Plan+`"}`); status != 202 {
		t.Errorf("ben approves: %d %s", status, body)
	}
	n.await("traffic of east is home", func() bool { return n.group("east").Active == "ashburn" && len(n.ended("proven")) == 3 })

	// A move for tomorrow, and called off.
	if out, code := n.command("ana", "failback", "central", "--at", "04:30", "--yes"); code != 0 || !strings.Contains(out, "kept for 2026-01-12T04:30:00Z") {
		t.Errorf("a move for a time to come: exit %d\n%s", code, out)
	}
	n.open(page)
	n.reads("#answers", "central: planned: failback")
	n.look("home")
	n.open(page + "&group=central")
	n.press(`#summary a[href*="do=cancel"]`, "form.order")
	n.fill("ben", "central")
	n.await("the planned move is called off", func() bool { return n.group("central").Planned == 0 })
	n.open(page + "&journal=group.east")
	n.look("journal")
}

// newNight starts the demo in hand and a browser of the size of a phone.
func newNight(t *testing.T) *night {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	n := &night{T: t, story: &story{until: "The estate is at rest, and yours", told: make(chan struct{})}}
	cmd := exec.CommandContext(ctx, binary, "demo", "--hands-on", "--speed", "20")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = n.story, n.story
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	n.words = in
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	select {
	case <-n.story.told:
	case <-time.After(slow):
		t.Fatalf("the demo does not come up:\n%s", n.story.text())
	}
	n.url = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(n.story.text())
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: run `make deps`")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	alloc, end := chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(end)
	tab, shut := chromedp.NewContext(alloc)
	t.Cleanup(func() { _ = chromedp.Cancel(tab); shut() })
	n.ctx = tab
	if err := chromedp.Do(tab); err != nil { // the browser lives as long as this context
		t.Fatalf("chromium does not start: %v", err)
	}
	n.do(chromedp.EmulateViewport(360, 740))
	return n
}

// say types a word to the estate.
func (n *night) say(word string) {
	n.Helper()
	if _, err := fmt.Fprintln(n.words, word); err != nil {
		n.Fatal(err)
	}
}

func (n *night) do(steps ...chromedp.Action[chromedp.Void]) {
	n.Helper()
	ctx, stop := context.WithTimeout(n.ctx, slow)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		n.Fatalf("%v\n%s", err, n.story.text())
	}
}

func (n *night) open(url string) {
	n.Helper()
	n.do(chromedp.Navigate(url), chromedp.WaitVisible("main"))
}

// press follows a link or button to where something is visible.
func (n *night) press(sel, then string) {
	n.Helper()
	n.do(chromedp.WaitVisible(sel), chromedp.Click(sel), chromedp.WaitVisible(then))
}

// fill types who orders and the name of the group, and orders.
func (n *night) fill(user, group string) {
	n.Helper()
	n.do(chromedp.SetValue(`#user`, user), chromedp.SendKeys(`#name`, group), chromedp.Click(`button.go`), chromedp.WaitVisible(`#told`))
}

// until waits until an expression is true on the page, which follows by itself.
func (n *night) until(expression string) {
	n.Helper()
	deadline := time.Now().Add(slow)
	for {
		ctx, stop := context.WithDeadline(n.ctx, deadline)
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
		stop()
		if err == nil {
			return
		}
		if time.Now().After(deadline) || !strings.Contains(err.Error(), "context with specified id") {
			n.Fatalf("waited for %s: %v\n%s", expression, err, n.story.text())
		}
	}
}

// reads waits until an element says all the words.
func (n *night) reads(sel string, words ...string) {
	n.Helper()
	for _, w := range words {
		n.until(fmt.Sprintf(`!!document.querySelector(%q) && document.querySelector(%q).innerText.replace(/\s+/g, " ").includes(%q)`, sel, sel, w))
	}
}

// look checks that the screen does not scroll sideways, and keeps a picture of it at
// phone width, dark, and at a desk, where a folder is named.
func (n *night) look(name string) {
	n.Helper()
	over, err := chromedp.Run(n.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil || over > 0 {
		n.Errorf("%s: %d px wider than a phone (%v)", name, over, err)
	}
	if *shots == "" {
		return
	}
	n.shot++
	for _, width := range []int64{1280, 360} {
		n.do(chromedp.EmulateViewport(width, 740))
		png, err := chromedp.Run(n.ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(*shots, fmt.Sprintf("%02d-%s-%d.png", n.shot, name, width)), png, 0o600)
		}
		if err != nil {
			n.Fatal(err)
		}
	}
}

// command runs the program's own command line as somebody.
func (n *night) command(user string, args ...string) (output string, code int) {
	n.Helper()
	cmd := exec.CommandContext(n.ctx, binary, args...)
	cmd.Env = append(os.Environ(), "ERFAILOVER_URL="+n.url, "ERFAILOVER_KEY=function", "ERFAILOVER_USER="+user)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		n.Fatal(err)
	}
	n.Logf("%s$ erfailover %s\n%s(exit %d)", user, strings.Join(args, " "), out, cmd.ProcessState.ExitCode())
	return string(out), cmd.ProcessState.ExitCode()
}

// curl sends what curl would.
func (n *night) curl(user, path, body string) (status int, reply string) {
	n.Helper()
	req, err := http.NewRequestWithContext(n.ctx, http.MethodPost, n.url+"/api/v1/groups/"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		n.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Functions-Key": {"function"}, "X-Erfailover-User": {user}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		n.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		n.Fatal(err)
	}
	n.Logf("%s$ curl -X POST .../%s -d '%s'\n%d %s", user, path, body, res.StatusCode, text)
	return res.StatusCode, string(text)
}

// said of a group by the API.
type state struct {
	Active, Home string // the circuit that carries; the health of the first circuit
	Planned      int
}

func (n *night) get(path string, v any) {
	n.Helper()
	req, err := http.NewRequestWithContext(n.ctx, http.MethodGet, n.url+"/api/v1/"+path, nil)
	if err != nil {
		n.Fatal(err)
	}
	req.Header.Set("X-Functions-Key", "function")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		n.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.UnmarshalRead(res.Body, v, json.MatchCaseInsensitiveNames(true)); err != nil {
		n.Fatal(err)
	}
}

// group reads one group.
func (n *night) group(name string) state {
	n.Helper()
	var g struct {
		Active    []string
		Circuits  []struct{ State string }
		Scheduled []struct{ ID string }
	}
	n.get("groups/"+name, &g)
	return state{strings.Join(g.Active, ","), g.Circuits[0].State, len(g.Scheduled)}
}

// ended lists the operations that ended in a way.
func (n *night) ended(result string) (ids []string) {
	n.Helper()
	var list struct {
		Items []struct{ ID, Result, Kind string }
	}
	n.get("operations", &list)
	for _, o := range list.Items {
		if o.Result == result && o.Kind != "settle" {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

// await waits until something is so.
func (n *night) await(what string, is func() bool) {
	n.Helper()
	ctx, stop := context.WithTimeout(n.ctx, slow)
	defer stop()
	for !is() {
		timer := time.NewTimer(200 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			n.Fatalf("waited for this: %s\n%s", what, n.story.text())
		case <-timer.C:
		}
	}
}
