package page

import (
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
)

// BenchmarkFirstScreen measures what the first screen of 200 groups and 2,000
// circuits costs: in the server, and until a Chromium has painted it.
//
//	go test ./handlers/page -run '^$' -bench FirstScreen
func BenchmarkFirstScreen(b *testing.B) {
	b.Run("server", func(b *testing.B) {
		sc := bigScene()
		h, err := New(sc.options())
		if err != nil {
			b.Fatal(err)
		}
		bytes := 0
		for b.Loop() {
			bytes = render(b, h)
		}
		b.ReportMetric(float64(bytes), "bytes")
	})
	b.Run("chromium", func(b *testing.B) {
		path, err := exec.LookPath("chromium")
		if err != nil {
			b.Fatal("chromium is missing: run `make deps`")
		}
		alloc, end := chromedp.NewExecAllocator(b.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(b.TempDir()))...)
		defer end()
		ctx, shut := chromedp.NewContext(alloc)
		defer shut()
		srv := bigScene().serve(b)
		total, n := 0.0, 0
		for b.Loop() {
			if err := chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(srv.URL+"/api/")); err != nil {
				b.Fatal(err)
			}
			paint := 0.0
			for paint == 0 {
				if paint, err = chromedp.Run(ctx, chromedp.Evaluate[float64](`(performance.getEntriesByName("first-contentful-paint")[0] || {startTime: 0}).startTime`)); err != nil {
					b.Fatal(err)
				}
			}
			total, n = total+paint, n+1
		}
		b.ReportMetric(total/float64(n), "ms/first-paint")
		_ = chromedp.Cancel(ctx) // waits for the browser to end
	})
}
