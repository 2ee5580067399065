//go:build unix

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
)

// serveARM stands before the ARM face: it counts requests, lets a test act at the
// n-th of them, and keeps what was read and written.
func (r *rig) serveARM(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	r.count++
	n := r.count
	r.mu.Unlock()
	if r.act(n, req) {
		panic(http.ErrAbortHandler)
	}
	keep := &keeper{ResponseWriter: w}
	r.arm.ServeHTTP(keep, req)
	if !isConnection(req.URL.Path) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	path := strings.ToLower(req.URL.Path)
	switch req.Method {
	case http.MethodGet:
		r.reads[path] = keep.body.Bytes()
	case http.MethodPut:
		r.writes = append(r.writes, write{Path: path, Read: r.reads[path], Put: body})
	}
}

// act does what the test wants done at a request.
func (r *rig) act(n int, req *http.Request) (drop bool) {
	r.acting.RLock()
	defer r.acting.RUnlock()
	return r.on != nil && r.on(n, req)
}

// at sets what is done at each request, counted from one anew. It returns when
// nothing of what was set before is being done any more.
func (r *rig) at(on func(n int, req *http.Request) (drop bool)) {
	r.acting.Lock()
	defer r.acting.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count, r.on = 0, on
}

// requests returns how many requests have come since the count began.
func (r *rig) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// written returns the PUTs so far.
func (r *rig) written() []write {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]write(nil), r.writes...)
}

// isConnection reports whether a path names one connection.
func isConnection(path string) bool {
	parts := strings.Split(strings.ToLower(path), "/")
	return len(parts) > 2 && (parts[len(parts)-2] == "connections" || parts[len(parts)-2] == "expressrouteconnections")
}

// keeper keeps a copy of an answer.
type keeper struct {
	http.ResponseWriter
	body bytes.Buffer
}

// Write implements http.ResponseWriter.
func (k *keeper) Write(p []byte) (int, error) {
	k.body.Write(p)
	return k.ResponseWriter.Write(p)
}

// onFirstPut does something when the first PUT arrives.
func (r *rig) onFirstPut(do func()) {
	var once sync.Once
	r.at(func(_ int, req *http.Request) bool {
		if req.Method == http.MethodPut {
			once.Do(do)
		}
		return false
	})
}
