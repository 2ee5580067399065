package armnet

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"erfailover/failover/clock"
)

// maxText is the longest text of others that is passed on, in bytes.
const maxText = 400

// Patterns of what must never be shown, and of what an answer tells in prose.
var (
	secretToken = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)(bearer\s+)?\beyJ[A-Za-z0-9_.\-]{10,}|bearer\s+\S+`)
	})
	secretQuery  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\?[^\s"'<>]+`) })
	secretMember = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)("?(?:authorizationKey|sharedKey|serviceKey|access_token|client_secret|sig)"?\s*[:=]\s*)("[^"]*"|[^\s,;&}]+)`)
	})
	namedAction = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)Microsoft\.[A-Za-z]+(?:/[A-Za-z0-9]+)+/(?:read|write|delete|action)\b`)
	})
	namedWait = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)retried? (?:in|after) (\d{1,4}) seconds`) })
)

// scrub makes a text of others fit for a log: no secrets, no queries of URLs, no
// control characters, at most 400 bytes.
func scrub(s string) string {
	s = secretMember().ReplaceAllString(s, "${1}***")
	s = secretToken().ReplaceAllString(s, "***")
	s = secretQuery().ReplaceAllString(s, "?***")
	return clip(clean(s), maxText)
}

// clean turns control characters into spaces and drops broken UTF-8.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return -1
		case r < 0x20, r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, s))
}

// clip shortens s to at most n bytes, on a rune boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// actionIn returns the first action named in a text, or "".
func actionIn(text string) string { return namedAction().FindString(text) }

// waitIn returns the wait that a text names ("can be retried in 14 seconds"), or 0.
func waitIn(text string) time.Duration {
	m := namedWait().FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return min(clock.MaxHint, time.Duration(n)*time.Second)
}
