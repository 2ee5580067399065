package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/record"
	"erfailover/failover/replay"
	"erfailover/failover/topology"
)

const archiveUsage = "keep every message that gave a signal in this folder, a file a day and instance, for erfailover replay"

// archive adds messages to a recording: a file a day, for this instance alone.
type archive struct {
	folder, owner string
	estate        func(ctx context.Context) (topology.Estate, bool)

	mu   sync.Mutex
	name string
	file *os.File
}

// withArchive begins to keep messages in a folder; "" keeps none.
func (p *parts) withArchive(folder string) error {
	if folder == "" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return &exitError{exitUsage, fmt.Errorf("--archive: %w", err)}
	}
	a := &archive{folder: folder, owner: owner(), estate: p.discovered}
	p.archive = a.keep
	end := p.close
	p.close = func() error { return errors.Join(a.close(), end()) }
	return nil
}

// keep adds messages, and returns when they are on the disk.
func (a *archive) keep(ctx context.Context, at time.Time, bodies [][]byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.turn(ctx, at); err != nil {
		return err
	}
	var b bytes.Buffer
	for _, body := range bodies {
		b.Write(replay.Frame(at, body))
	}
	if _, err := a.file.Write(b.Bytes()); err != nil {
		return err
	}
	return a.file.Sync()
}

// turn opens the file of the day. A new one begins with what was discovered.
func (a *archive) turn(ctx context.Context, at time.Time) error {
	name := filepath.Join(a.folder, "events-"+at.UTC().Format(time.DateOnly)+"-"+a.owner+".ndjson")
	if a.file != nil && a.name == name {
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if a.file != nil {
		_ = a.file.Close() // it was synced after its last message
	}
	a.file, a.name = f, name
	if e, known := a.estate(ctx); known {
		_, err = f.Write(replay.FrameEstate(at, e))
	}
	return err
}

func (a *archive) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}

// discovered returns what the record knows of the estate, if it does.
func (p *parts) discovered(ctx context.Context) (topology.Estate, bool) {
	var e record.Estate
	doc, err := p.store.Load(ctx, record.EstateKey)
	if err != nil {
		return e.Facts, false // a recording without it is still one
	}
	body, err := record.Migrate("estate", doc.Body)
	if err != nil || json.Unmarshal(body, &e) != nil {
		return e.Facts, false
	}
	return e.Facts, len(e.Facts.Connections) > 0
}
