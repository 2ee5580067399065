package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"erfailover/failover/config"
	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/notify"
)

// hostsVariable names the hosts that blackout calendars may be fetched from. It is set
// by whoever runs the app, not by whoever writes the configuration.
const hostsVariable = "ERFAILOVER_CALENDAR_HOSTS"

// How long a blackout calendar, and the lack of one, is believed.
const (
	calendarFresh = 15 * time.Minute // one that was fetched
	fileFresh     = time.Minute      // a file, and any failure
	calendarStale = 24 * time.Hour   // the copy of one that cannot be fetched any more
)

// calendars reads blackout calendars. What it keeps in memory only saves work.
type calendars struct {
	mu    sync.Mutex
	kept  map[string]keptCalendar
	guard notify.Guard                // which addresses may be asked
	env   func(string) (string, bool) // nil is the process's
}

type keptCalendar struct {
	until    time.Time
	blackout drill.Blackout
	err      error
	at       time.Time // when the copy was fetched
	old      string    // why the copy is used; "" for one that was just fetched
}

// calendarName is how people and logs know a calendar: its file, its variable, or its
// place in the list. An address may hold a key and is never shown.
func calendarName(drillName string, i int, c config.Secret) string {
	if c.Env() != "" || !strings.Contains(string(c), "://") {
		return string(c)
	}
	return fmt.Sprintf("%s.calendars[%d]", drillName, i)
}

// read returns a calendar as it is now. One that cannot be fetched is a day old at
// most, and old says so.
func (c *calendars) read(ctx context.Context, name string, from config.Secret, zone *time.Location, now time.Time) (b drill.Blackout, old string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := string(from) + " " + zone.String()
	if k, ok := c.kept[key]; ok && now.Before(k.until) {
		return k.blackout, k.old, k.err
	}
	text, fresh, err := c.fetch(ctx, from)
	k, before := keptCalendar{err: err, at: now}, c.kept[key]
	if err == nil {
		k.blackout, k.err = drill.ParseBlackout(name, text, zone)
	} else {
		k.err = fmt.Errorf("calendar %s: %w", name, err)
	}
	if k.err != nil {
		fresh = fileFresh
		if !before.at.IsZero() && before.err == nil && now.Sub(before.at) < calendarStale {
			k = keptCalendar{blackout: before.blackout, at: before.at, old: fmt.Sprintf("%v; the copy of %s is used, until it is a day old", k.err, before.at.UTC().Format("2006-01-02 15:04Z"))}
		}
	}
	k.until = now.Add(fresh)
	if c.kept == nil {
		c.kept = map[string]keptCalendar{}
	}
	c.kept[key] = k
	return k.blackout, k.old, k.err
}

func (c *calendars) fetch(ctx context.Context, from config.Secret) ([]byte, time.Duration, error) {
	lookup := c.env
	if lookup == nil {
		lookup = os.LookupEnv
	}
	place, err := from.Resolve(lookup)
	if err != nil {
		return nil, 0, err
	}
	if !strings.Contains(place, "://") {
		f, err := os.Open(place)
		if err != nil {
			return nil, 0, err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, drill.MaxCalendar+1))
		return text, fileFresh, err
	}
	u, err := url.Parse(place)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return nil, 0, errors.New("its address is not an https URL without a user")
	}
	hosts, _ := lookup(hostsVariable)
	if !allowedHost(hosts, u.Hostname()) {
		return nil, 0, &fault.Error{Op: "fetch calendar", Target: u.Hostname(), Kind: fault.Refused, Hint: "name the host in " + hostsVariable, Err: errors.New("the host is not on the list of calendar hosts")}
	}
	text, err := c.download(ctx, u, lookup)
	return text, calendarFresh, err
}

// download fetches a calendar. Its address is in no error: it may hold a key.
func (c *calendars) download(ctx context.Context, u *url.URL, lookup func(string) (string, bool)) ([]byte, error) {
	guard := c.guard
	allowed, err := allowedNetworks(lookup)
	if err != nil {
		return nil, err
	}
	guard.Allow = append(guard.Allow, allowed...)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("its address cannot be asked")
	}
	req.Header.Set("Accept", "text/calendar")
	res, err := guard.Client().Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", u.Hostname(), plainly(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", u.Hostname(), res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, drill.MaxCalendar+1))
}

// allowedHost reports whether a list names a host.
func allowedHost(list, host string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one != "" && strings.EqualFold(one, host) {
			return true
		}
	}
	return false
}
