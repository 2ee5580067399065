package handlers

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

func TestServeNeedsAPort(t *testing.T) {
	for _, port := range []string{"", "0", "70000", "http", "-1"} {
		b := newBench(t)
		b.options.Port = 0
		b.env[portVariable] = port
		if err := Serve(t.Context(), b.options); err == nil || !strings.Contains(err.Error(), portVariable) {
			t.Errorf("%q: got %v, want %s named", port, err, portVariable)
		}
	}
}

// TestServe binds to loopback on the host's port and ends without an error when
// its context does; a port that is taken is an error.
func TestServe(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port
	b := newBench(t)
	b.options.Port = 0
	b.env[portVariable] = strconv.Itoa(port)
	if err := Serve(t.Context(), b.options); err == nil {
		t.Fatal("a port that is taken is no error")
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	begun, release := make(chan struct{}), make(chan struct{})
	b.engine.during = func(context.Context) { close(begun); <-release }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, b.options) }()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	url := "http://127.0.0.1:" + strconv.Itoa(port)
	for limit := time.Now().Add(10 * time.Second); ; {
		res, err := client.Get(url + "/")
		if err == nil {
			res.Body.Close()
			break
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	replied := make(chan int, 1)
	go func() {
		res, err := client.Post(url+"/Tick", "application/json", strings.NewReader("{}"))
		if err != nil {
			replied <- 0
			return
		}
		res.Body.Close()
		replied <- res.StatusCode
	}()
	<-begun
	stop()
	select {
	case err := <-ended:
		t.Fatalf("ended with a request in flight: %v", err)
	default:
	}
	close(release)
	if code := <-replied; code != http.StatusOK {
		t.Errorf("the request in flight got %d, want 200", code)
	}
	if err := <-ended; err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
}

// letterStore is a store of which only Save is used.
type letterStore struct {
	docs map[string]record.Document
	err  error
}

func (s *letterStore) Save(_ context.Context, d record.Document) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	if old, ok := s.docs[d.Key]; ok && old.Nonce != d.Nonce {
		return "", fault.Conflict
	}
	s.docs[d.Key] = d
	return "1", nil
}

func TestRecordLetters(t *testing.T) {
	s := &letterStore{docs: map[string]record.Document{}}
	l := NewRecordLetters(s)
	long := strings.Repeat("0123456789", 20_000) // 200,000 bytes: four parts
	for range 2 {                                // a second delivery stores nothing new
		for _, raw := range []string{"", "short", long} {
			if err := l.Put(t.Context(), "why", []byte(raw), at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(s.docs) != 6 {
		t.Errorf("got %d documents, want 1 + 1 + 4", len(s.docs))
	}
	total, parts := 0, 0
	for _, d := range s.docs {
		letter, err := record.ParseDeadLetter(d.Body)
		if err != nil {
			t.Fatal(err)
		}
		if letter.Reason != "why" || letter.Truncated {
			t.Errorf("got %+v, want the reason and nothing cut off", letter)
		}
		total += len(letter.Raw)
		if strings.HasSuffix(letter.Detail["part"], " of 4") && letter.Detail["bytes"] == "200000" {
			parts++
		}
	}
	if total != len("short")+len(long) || parts != 4 {
		t.Errorf("got %d bytes and %d parts, want all bytes in 4 parts", total, parts)
	}
	s.err = errors.New("store is down")
	if err := l.Put(t.Context(), "why", []byte("x"), at); err == nil {
		t.Error("a failed save is no error")
	}
}
