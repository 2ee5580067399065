package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

var errZoneInCron = errors.New("the time zone has a key of its own")

// finding collects what Check finds. It changes nothing that it looks at.
type finding struct {
	problems Invalid
	warnings []Warning
}

func (f *finding) bad(key, got, want string) {
	f.problems = append(f.problems, Problem{Key: key, Got: got, Want: want})
}

func (f *finding) warn(key, say string) {
	f.warnings = append(f.warnings, Warning{Key: key, Say: say})
}

// span checks a duration: least to most, and a warning below careful.
func (f *finding) span(key string, d, least, careful, most time.Duration) {
	switch {
	case d < least || d > most:
		f.bad(key, formatDuration(d), formatDuration(least)+" to "+formatDuration(most))
	case d < careful:
		f.warn(key, formatDuration(d)+" suits a test; a real estate wants "+formatDuration(careful)+" or more")
	}
}

// count checks a whole number.
func (f *finding) count(key string, n, least, most int) {
	if n < least || n > most {
		f.bad(key, fmt.Sprint(n), fmt.Sprintf("a whole number from %d to %d", least, most))
	}
}

// word checks one word of a closed list. The parser lets no other word through; a
// Config that was made by hand may hold one.
func word[T ~string](f *finding, key string, got T, all ...T) {
	if slices.Contains(all, got) {
		return
	}
	shown := show(string(got))
	if got == "" {
		shown = missing
	}
	f.bad(key, shown, "one of "+joined(all))
}

// dayLong bounds most durations: nobody waits longer for a circuit.
const dayLong = 24 * time.Hour

// Check returns every problem and warning of c, by key and without a place, which
// only Parse knows. It changes nothing: defaults are filled in earlier.
func (c Config) Check() (Invalid, []Warning) {
	var f finding
	switch c.Version {
	case Version:
	case 0:
		f.bad("version", missing, fmt.Sprint(Version))
	default:
		f.bad("version", fmt.Sprint(c.Version), fmt.Sprint(Version))
	}
	f.azure(c.Azure)
	f.record(c.Record)
	f.circuits(c)
	f.groups(c)
	f.count("limits.operationsAtOnce", c.EstateLimits.OperationsAtOnce, 1, 1000)
	f.count("limits.operationsPerHour", c.EstateLimits.OperationsPerHour, 1, 1000)
	for _, name := range slices.Sorted(maps.Keys(c.Drills)) {
		f.drill("drills."+name, c.Drills[name], c.Groups)
	}
	for i, n := range c.Notify {
		f.notify(fmt.Sprintf("notify[%d]", i), n)
	}
	f.auth(c.Auth)
	f.grants(c)
	f.timing(c.Timing)
	return f.problems, f.warnings
}

func (f *finding) azure(a Azure) {
	word(f, "azure.cloud", a.Cloud, clouds()...)
	switch {
	case a.Cloud == CloudCustom && a.Custom == nil:
		f.bad("azure.custom", missing, "resourceManager, audience and authority; cloud custom needs them")
	case a.Cloud != CloudCustom && a.Custom != nil:
		f.bad("azure.custom", "custom endpoints", "none with cloud "+string(a.Cloud))
	case a.Custom != nil:
		f.endpoint("resourceManager", a.Custom.ResourceManager)
		f.endpoint("audience", a.Custom.Audience)
		f.endpoint("authority", a.Custom.Authority)
		f.metrics(*a.Custom)
	}
	i := a.Identity
	known := i.Kind == IdentityManaged || i.Kind == IdentityWorkload || i.Kind == IdentityDeveloper
	if !known || i.ClientID != "" && (i.Kind != IdentityManaged || !guid(i.ClientID)) {
		f.bad("azure.identity", show(i.String()), wantIdentity)
	}
	for _, b := range []struct {
		key   string
		share float64
	}{{"writes", a.Budget.Writes}, {"reads", a.Budget.Reads}} {
		if !(b.share >= 0.01 && b.share <= 1) {
			f.bad("azure.budget."+b.key, fmt.Sprint(b.share), "a share from 0.01 to 1")
		}
	}
}

// metrics checks Azure Monitor's endpoint of a custom cloud, which it need not have.
func (f *finding) metrics(c CustomCloud) {
	switch {
	case c.Metrics == "" && c.MetricsAudience == "":
	case c.Metrics == "" || c.MetricsAudience == "":
		f.bad("azure.custom.metrics", "one of metrics and metricsAudience", "both or none")
	default:
		f.endpoint("metrics", strings.Replace(c.Metrics, "{region}", "region", 1))
		f.endpoint("metricsAudience", c.MetricsAudience)
	}
}

// endpoint checks one endpoint of a custom cloud.
func (f *finding) endpoint(key, s string) {
	switch {
	case s == "":
		f.bad("azure.custom."+key, missing, "an https URL; cloud custom needs resourceManager, audience and authority")
	case !webURL(s, "https"):
		f.bad("azure.custom."+key, show(s), "an https URL with a host, without user, query and fragment")
	}
}

func (f *finding) record(r Record) {
	switch {
	case r.Blob != nil && r.Bolt != "":
		f.bad("record", "bolt and blob", "exactly one of bolt and blob")
	case r.Blob == nil && r.Bolt == "":
		f.bad("record", "neither", "exactly one of bolt and blob")
	case r.Blob != nil:
		if r.Blob.Account == "" {
			f.bad("record.blob.account", missing, "the https URL of the account's blob endpoint")
		} else if !webURL(r.Blob.Account, "https") || strings.Contains(strings.Trim(pathOf(r.Blob.Account), "/"), "/") {
			f.bad("record.blob.account", show(r.Blob.Account), "the https URL of the account's blob endpoint, without user, query and fragment")
		}
		if !containerName(r.Blob.Container) {
			got := show(r.Blob.Container)
			if r.Blob.Container == "" {
				got = missing
			}
			f.bad("record.blob.container", got, "3 to 63 small letters, digits and single hyphens")
		}
	}
}

func containerName(s string) bool {
	for i, r := range s {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		case r == '-' && i > 0 && i < len(s)-1 && s[i-1] != '-':
		default:
			return false
		}
	}
	return len(s) >= 3 && len(s) <= 63
}

func (f *finding) timing(t Timing) {
	f.span("timing.linger", t.Linger, 0, 0, 14*time.Second)
	f.span("timing.sendDeadline", t.SendDeadline, time.Second, 10*time.Second, 10*time.Minute)
	f.span("timing.landing", t.Landing, time.Second, time.Minute, 2*time.Hour)
	f.span("timing.readDeadline", t.ReadDeadline, time.Second, 30*time.Second, time.Hour)
	f.span("timing.settleAfter", t.SettleAfter, time.Second, 30*time.Second, dayLong)
	f.span("timing.poll.doubt", t.Poll.Doubt, time.Second, 10*time.Second, time.Hour)
	f.span("timing.poll.all", t.Poll.All, time.Second, time.Minute, dayLong)
	if t.Poll.Doubt > t.Poll.All {
		f.bad("timing.poll.doubt", formatDuration(t.Poll.Doubt), "at most poll.all ("+formatDuration(t.Poll.All)+")")
	}
}

// webURL says whether s is a plain URL of one of the schemes, with a host and
// without user, query and fragment.
func webURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && slices.Contains(schemes, u.Scheme) && strings.HasPrefix(s, u.Scheme+"://") && u.Hostname() != "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.Opaque == "" && !strings.Contains(s, "#")
}

// pathOf returns the path of a URL, or "".
func pathOf(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Path
}

// guid says whether s is a GUID: 8-4-4-4-12 hex digits.
func guid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if r != '-' {
				return false
			}
		case !strings.ContainsRune("0123456789abcdefABCDEF", r):
			return false
		}
	}
	return true
}
