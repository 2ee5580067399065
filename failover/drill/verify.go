package drill

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// sealField is where the journal's last entry about a run has the seal of the whole.
const sealField = "seal"

// seal is the hash of everything that a finished run tells.
func seal(e Ended) string {
	e.Schema = 0
	body, err := json.Marshal(e, json.Deterministic(true))
	if err != nil { // times and numbers of our own: they can be written
		return ""
	}
	sum := sha256.Sum256(body)
	return "r-" + hex.EncodeToString(sum[:])
}

// ParseReport reads the JSON form. ours is false for a file that is no report of a
// drill; an unknown or repeated field of one that is, is an Invalid error.
func ParseReport(body []byte) (r Report, ours bool, err error) {
	var peek struct {
		Run *struct{} `json:"run"`
	}
	if json.Unmarshal(body, &peek) != nil || peek.Run == nil {
		return Report{}, false, nil
	}
	bad := func(err error) (Report, bool, error) {
		return Report{}, true, &fault.Error{Op: "read report", Kind: fault.Invalid, Err: err, Hint: "give the JSON form: erfailover drill show NAME --report FILE.json"}
	}
	if err := json.Unmarshal(body, &r, json.RejectUnknownMembers(true)); err != nil {
		return bad(err)
	}
	if r.Name == "" || r.Outcome.ID == "" {
		return bad(errors.New("name and outcome.id: got nothing, want the drill and its run"))
	}
	return r, true, nil
}

// CheckReport holds a report against what the record and the journal say now: the
// same run, written anew as truth, whose chain was followed on the way. rows is the
// drill's whole journal, or nil when it could not be read.
func CheckReport(got, truth Report, rows []record.Row) report.Checked {
	c := report.Checked{Differences: []string{}, Notes: []string{}}
	for _, row := range rows {
		if row.Seq == got.Head.Seq {
			if entry, err := record.ParseEntry(row.Body); err != nil || entry.Hash != got.Head.Hash {
				c.Differ("head: entry %d has the hash %q in the report and %q in the journal", got.Head.Seq, got.Head.Hash, entry.Hash)
			}
		}
	}
	switch {
	case got.Head.Seq > truth.Head.Seq:
		c.Differ("head: the report was made at entry %d; the journal ends at %d", got.Head.Seq, truth.Head.Seq)
	case got.Head.Seq < truth.Head.Seq:
		c.Note("the journal has %d newer entries, written after the report was made", truth.Head.Seq-got.Head.Seq)
	}
	ended := slices.IndexFunc(got.Entries, func(e record.Entry) bool { return e.Code == "drill.end" && e.Operation == got.Outcome.ID })
	switch {
	case got.Outcome.Result == "":
		c.Note("the report was made before the run ended: make it anew")
	case ended < 0:
		c.Differ("entries: none tells of the end of %s", got.Outcome.ID)
	case got.Entries[ended].Fields[sealField] == "":
		c.Note("the journal keeps no seal of this run: an older version ended it")
	case got.Entries[ended].Fields[sealField] != seal(got.ended()):
		c.Differ("run: entry %d sealed another one: what was measured, or how it ended, was changed", got.Entries[ended].Seq)
	}
	got.Made, got.Head, truth.Made, truth.Head = time.Time{}, record.Head{}, time.Time{}, record.Head{}
	a, err1 := json.Marshal(got, json.Deterministic(true))
	b, err2 := json.Marshal(truth, json.Deterministic(true))
	if err := errors.Join(err1, err2); err != nil {
		c.Differ("report: it cannot be compared: %v", err)
		return c
	}
	c.Compare("report", a, b)
	if c.OK() {
		c.Entries = len(got.Entries)
	}
	return c
}

// ended returns the run as it was stored at its end.
func (r Report) ended() Ended {
	return Ended{Name: r.Name, Group: r.Group, ObjectiveMS: r.ObjectiveMS, HoldMS: r.HoldMS, Outcome: r.Outcome, Run: r.Run}
}
