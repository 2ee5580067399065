package drill

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"

	"erfailover/failover/record"
)

// Bounds of a blackout calendar.
const (
	MaxCalendar = 1 << 20 // bytes
	maxEvents   = 5000
)

// Blackout is a calendar of times at which nothing is drilled. Every event closes
// its time, whether its owner shows it as busy or as free: an all-day event is free
// by default in most programs. Events that were cancelled close nothing.
type Blackout struct {
	Name   string // as people know it; never a secret
	events []event
}

// Busy is one time that a calendar closes.
type Busy struct {
	Summary    string
	Start, End time.Time // End is not included
}

// event is one entry of a calendar, perhaps repeated.
type event struct {
	summary string
	start   time.Time
	lasts   time.Duration // of one with a time of day
	days    int           // of one that lasts whole days; 0 for the others
	rule    *rrule.ROption
	extra   []time.Time        // more starts
	except  map[time.Time]bool // starts that do not happen, or happen at another time
	exDays  map[string]bool    // days, as 2006-01-02, on which it does not happen
}

// decode reads the next calendar. The library panics on some lines that no calendar
// has; to a reader that is an error like any other.
func decode(dec *ical.Decoder) (cal *ical.Calendar, err error) {
	defer func() {
		if p := recover(); p != nil {
			cal, err = nil, fmt.Errorf("it is not a calendar: %v", p)
		}
	}()
	return dec.Decode()
}

// ParseBlackout reads an iCalendar file (RFC 5545). Times without a zone of their
// own are read in zone. Text that is not understood in full is an error: a freeze
// that is misread is a drill in the middle of it.
func ParseBlackout(name string, text []byte, zone *time.Location) (Blackout, error) {
	b := Blackout{Name: name}
	if len(text) > MaxCalendar {
		return b, fmt.Errorf("calendar %s: more than %d bytes", name, MaxCalendar)
	}
	moved := map[string]map[time.Time]bool{} // by UID: repeats that have an entry of their own
	type found struct {
		event
		uid string
	}
	var all []found
	calendars := 0
	for dec := ical.NewDecoder(bytes.NewReader(text)); ; calendars++ {
		cal, err := decode(dec)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return b, fmt.Errorf("calendar %s: %w", name, err)
		}
		local := zone
		if p := cal.Props.Get("X-WR-TIMEZONE"); p != nil {
			if loc, err := zoneOf(p.Value); err == nil {
				local = loc
			}
		}
		for _, v := range cal.Events() {
			if len(all) == maxEvents {
				return b, fmt.Errorf("calendar %s: more than %d events", name, maxEvents)
			}
			e, uid, original, cancelled, err := readEvent(v, local)
			if err != nil {
				return b, fmt.Errorf("calendar %s, event %q: %w", name, record.Clean(textOf(v, ical.PropSummary), 80), err)
			}
			if !original.IsZero() {
				if moved[uid] == nil {
					moved[uid] = map[time.Time]bool{}
				}
				moved[uid][original.UTC()] = true
			}
			if !cancelled {
				all = append(all, found{e, uid})
			}
		}
	}
	if calendars == 0 {
		return b, fmt.Errorf("calendar %s: there is no VCALENDAR in it", name)
	}
	for _, f := range all {
		if f.rule != nil || len(f.extra) > 0 {
			for at := range moved[f.uid] {
				f.except[at] = true
			}
		}
		b.events = append(b.events, f.event)
	}
	return b, nil
}

// Touching returns an event that has any time in common with a span, if there is
// one: the one that begins first among the first that is found.
func (b Blackout) Touching(from, to time.Time) (Busy, bool) {
	for _, e := range b.events {
		if start, end, some := e.touching(from, to); some {
			return Busy{Summary: e.summary, Start: start, End: end}, true
		}
	}
	return Busy{}, false
}

func (e event) touching(from, to time.Time) (start, end time.Time, some bool) {
	ask := func(s time.Time) bool {
		start, end = s, e.end(s)
		return !e.except[s.UTC()] && !e.exDays[s.Format(time.DateOnly)] && start.Before(to) && end.After(from)
	}
	for _, s := range append([]time.Time{e.start}, e.extra...) {
		if ask(s) {
			return start, end, true
		}
	}
	if e.rule == nil {
		return start, end, false
	}
	option := *e.rule
	if option.Dtstart = e.start; option.Until.IsZero() || option.Until.After(to) {
		option.Until = to // no repeat after it matters, and none is looked for
	}
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return start, end, false // readEvent has made it once
	}
	for next := rule.Iterator(); ; {
		s, more := next()
		if !more || !s.Before(to) {
			return start, end, false
		}
		if ask(s) {
			return start, end, true
		}
	}
}

// end returns when an event that begins at s is over.
func (e event) end(s time.Time) time.Time {
	if e.days > 0 {
		return s.AddDate(0, 0, e.days)
	}
	return s.Add(e.lasts)
}

// readEvent reads one entry. original is the repeat that it stands for, if it is one
// of a series that was changed.
func readEvent(v ical.Event, zone *time.Location) (e event, uid string, original time.Time, cancelled bool, err error) {
	e.except, e.exDays = map[time.Time]bool{}, map[string]bool{}
	e.summary, uid = record.Clean(textOf(v, ical.PropSummary), 120), textOf(v, ical.PropUID)
	start := v.Props.Get(ical.PropDateTimeStart)
	if start == nil {
		return e, uid, original, false, errors.New("it has no DTSTART")
	}
	var whole bool
	if e.start, whole, err = instant(start, start.Value, zone); err != nil {
		return e, uid, original, false, err
	}
	if y := e.start.Year(); y < 1970 || y > 2200 {
		return e, uid, original, false, fmt.Errorf("DTSTART is in the year %d", y)
	}
	if err = e.readEnd(v, whole, zone); err != nil {
		return e, uid, original, false, err
	}
	if p := v.Props.Get(ical.PropRecurrenceID); p != nil {
		if original, _, err = instant(p, p.Value, zone); err != nil {
			return e, uid, original, false, err
		}
	}
	return e, uid, original, strings.EqualFold(textOf(v, ical.PropStatus), string(ical.EventCancelled)), e.readRepeats(v, zone)
}

// readEnd reads how long an entry lasts.
func (e *event) readEnd(v ical.Event, whole bool, zone *time.Location) error {
	switch end, lasts := v.Props.Get(ical.PropDateTimeEnd), v.Props.Get(ical.PropDuration); {
	case end != nil:
		at, _, err := instant(end, end.Value, zone)
		if err != nil {
			return err
		}
		if e.lasts = at.Sub(e.start); e.lasts < 0 {
			return errors.New("it ends before it begins")
		}
	case lasts != nil:
		d, err := lasts.Duration()
		if err != nil {
			return err
		}
		if e.lasts = d; d < 0 {
			return errors.New("it ends before it begins")
		}
	case whole:
		e.days = 1
	}
	if whole && e.lasts > 0 { // days have 23 to 25 hours
		e.days = max(int((e.lasts+12*time.Hour)/(24*time.Hour)), 1)
	}
	if e.lasts == 0 && e.days == 0 {
		e.lasts = time.Minute // a mark on the calendar still closes its instant
	}
	return nil
}

// readRepeats reads the rule, the extra dates and the exceptions of an entry.
func (e *event) readRepeats(v ical.Event, zone *time.Location) error {
	rules := v.Props.Values(ical.PropRecurrenceRule)
	if len(rules) > 1 {
		return errors.New("it has more than one RRULE")
	}
	if len(v.Props.Values("EXRULE")) > 0 {
		return errors.New("it has an EXRULE, which RFC 5545 took out")
	}
	for _, p := range rules {
		option, err := rrule.StrToROptionInLocation(p.Value, e.start.Location())
		if err != nil {
			return fmt.Errorf("RRULE %q: %w", record.Clean(p.Value, 120), err)
		}
		if option.Freq > rrule.DAILY {
			return fmt.Errorf("RRULE %q: it repeats within a day; want DAILY or rarer", record.Clean(p.Value, 120))
		}
		if option.Dtstart = e.start; option.Count < 0 || option.Interval < 0 {
			return fmt.Errorf("RRULE %q: COUNT and INTERVAL are above 0", record.Clean(p.Value, 120))
		}
		if _, err := rrule.NewRRule(*option); err != nil {
			return fmt.Errorf("RRULE %q: %w", record.Clean(p.Value, 120), err)
		}
		e.rule = option
	}
	for _, p := range v.Props.Values(ical.PropRecurrenceDates) {
		for text := range strings.SplitSeq(p.Value, ",") {
			text, _, _ = strings.Cut(text, "/") // of a period, its start; it lasts as long as the others
			at, _, err := instant(&p, text, zone)
			if err != nil {
				return err
			}
			e.extra = append(e.extra, at)
		}
	}
	for _, p := range v.Props.Values(ical.PropExceptionDates) {
		for text := range strings.SplitSeq(p.Value, ",") {
			at, whole, err := instant(&p, text, zone)
			if err != nil {
				return err
			}
			if whole {
				e.exDays[at.Format(time.DateOnly)] = true
			} else {
				e.except[at.UTC()] = true
			}
		}
	}
	return nil
}

func textOf(v ical.Event, name string) string {
	if p := v.Props.Get(name); p != nil {
		if text, err := p.Text(); err == nil {
			return text
		}
		return p.Value
	}
	return ""
}

// instant reads one date, or one date with a time of day.
func instant(p *ical.Prop, text string, zone *time.Location) (at time.Time, wholeDay bool, err error) {
	bad := func(err error) (time.Time, bool, error) {
		return time.Time{}, false, fmt.Errorf("%s %q: %w", p.Name, record.Clean(text, 40), err)
	}
	if name := p.Params.Get(ical.PropTimezoneID); name != "" {
		if zone, err = zoneOf(name); err != nil {
			return bad(err)
		}
	}
	switch len(text) {
	case len("20060102"):
		at, err = time.ParseInLocation("20060102", text, zone)
		wholeDay = true
	case len("20060102T150405Z"):
		at, err = time.Parse("20060102T150405Z", text)
	default:
		at, err = time.ParseInLocation("20060102T150405", text, zone)
	}
	if err != nil {
		return bad(errors.New("want 20061231, 20061231T150405 or 20061231T150405Z"))
	}
	return at, wholeDay, nil
}
