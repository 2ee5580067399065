package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"erfailover/failover/eventhub"
	"erfailover/failover/replay"
)

// hourOf cuts an hour and a half out of the recorded week, in which a circuit blips.
func hourOf(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "hour.ndjson")
	var rec replay.Recording
	if err := fromFiles([]string{"../failover/replay/testdata/week.ndjson.gz"}, &rec); err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 1, 14, 0, 0, 0, 0, time.UTC)
	rec.Between(day.Add(16*time.Hour), day.Add(17*time.Hour))
	if err := saveRecording(name, rec); err != nil {
		t.Fatal(err)
	}
	return name
}

func config2(name string) string { return "../failover/replay/testdata/" + name + ".yaml" }

// TestReplayExitCodes: 0 when nothing differs, 1 when something does, 2 for wrong use.
func TestReplayExitCodes(t *testing.T) {
	t.Setenv("ERFAILOVER_CONFIG", "")
	hour := hourOf(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{hour, "--config", config2("careful"), "--config", config2("careful")}, exitDone, "The same: all"},
		{[]string{hour, "--config", config2("careful"), "--config", config2("eager")}, exitFailed, "east: ashburn moves"},
		{[]string{hour, "--config", config2("eager")}, exitDone, "moved to "},
		{[]string{hour}, exitUsage, "no configuration"},
		{[]string{"--config", config2("eager")}, exitUsage, "name files, or an event hub"},
		{[]string{hour, "--config", config2("eager"), "--from", "yesterday"}, exitUsage, `--from: got "yesterday"`},
		{[]string{hour, "--config", config2("eager"), "--hub", "a/b"}, exitUsage, "name files, or an event hub"},
		{[]string{hour + "x", "--config", config2("eager")}, exitUsage, "no such file"},
		{[]string{hour, "--config", config2("eager"), "--from", "2030-01-01T00:00:00Z"}, exitFailed, "the recording is empty"},
	} {
		var out, errs bytes.Buffer
		code := Main(Assets{}, append([]string{"replay"}, c.args...), &out, &errs)
		if text := out.String() + errs.String(); code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%v: exit %d, want %d and %q:\n%s", c.args[1:], code, c.code, c.says, text)
		}
	}
}

// TestReplayAgainstTheOneInUse compares with the configuration in the environment, as
// a pipeline does, and gives it as JSON.
func TestReplayAgainstTheOneInUse(t *testing.T) {
	t.Setenv("ERFAILOVER_CONFIG", config2("careful"))
	var out, errs bytes.Buffer
	if code := Main(Assets{}, []string{"replay", hourOf(t), "--config", config2("eager"), "-o", "json"}, &out, &errs); code != exitFailed {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var d struct {
		Old, New struct{ Name string }
		Flips    []struct {
			Group   string
			Changes []string
		}
	}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil || len(d.Flips) == 0 || d.Flips[0].Group != "east" || !strings.Contains(d.Old.Name, "careful") || !strings.Contains(d.New.Name, "eager") {
		t.Errorf("%v: %+v", err, d)
	}
}

// TestReplayHub reads a hub through the port, keeps what it read without secrets, and
// replays it the same from that file.
func TestReplayHub(t *testing.T) {
	t.Setenv("ERFAILOVER_CONFIG", "")
	t.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token") // never asked
	t.Setenv("IDENTITY_HEADER", "none")
	var rec replay.Recording
	if err := fromFiles([]string{hourOf(t)}, &rec); err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "saved.ndjson")
	o := replayOptions{configs: []string{config2("eager")}, hub: "ns/hub", output: "table", save: saved, from: "-24h", now: func() time.Time { return rec.Messages[0].At.Add(24 * time.Hour) }}
	o.past = func(_ context.Context, h eventhub.Options, from, to time.Time, take func(eventhub.Event) error) error {
		if h.Namespace != "ns" || h.Hub != "hub" || h.Store != nil || !from.Equal(rec.Messages[0].At) || !to.IsZero() {
			t.Errorf("asked for %+v from %s to %s", h, from, to)
		}
		for _, m := range rec.Messages {
			if err := take(eventhub.Event{At: m.At, Body: m.Body}); err != nil {
				return err
			}
		}
		return take(eventhub.Event{At: rec.Messages[3].At, Body: []byte(`{"serviceKey":"0123-secret"}`)})
	}
	var first, warn bytes.Buffer
	if err := o.run(t.Context(), nil, &first, &warn); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(saved)
	if err != nil || bytes.Contains(text, []byte("0123-secret")) || bytes.Count(text, []byte("\n")) != len(rec.Messages)+1 {
		t.Fatalf("%v: %d lines, want %d; a secret: %t", err, bytes.Count(text, []byte("\n")), len(rec.Messages)+1, bytes.Contains(text, []byte("0123-secret")))
	}
	o = replayOptions{configs: o.configs, output: "table", now: time.Now, past: func(context.Context, eventhub.Options, time.Time, time.Time, func(eventhub.Event) error) error {
		return errors.New("not asked")
	}}
	var second bytes.Buffer
	if err := o.run(t.Context(), []string{saved}, &second, &warn); err != nil || first.String() != second.String() {
		t.Errorf("%v: from the hub\n%s\nfrom the file\n%s", err, first.String(), second.String())
	}
}
