package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

func (f *finding) notify(key string, n Notify) {
	if n.Channel == "" {
		f.bad(key, missing, "one of "+joined(channels()))
		return
	}
	word(f, key, n.Channel, channels()...)
	at := key + "." + string(n.Channel)
	switch {
	case !n.To.good():
		f.bad(at, hidden, wantChannel(n.Channel))
	case n.To.Env() != "":
	default:
		f.literal(at, n)
	}
	if len(n.For) == 0 {
		f.bad(key+".for", missing, "at least one of "+joined(topics()))
	}
	for i, t := range n.For {
		word(f, fmt.Sprintf("%s.for[%d]", key, i), t, topics()...)
		if slices.Contains(n.For[:i], t) {
			f.bad(fmt.Sprintf("%s.for[%d]", key, i), string(t), "each topic once")
		}
	}
}

// literal checks a channel's value that stands in the file itself.
func (f *finding) literal(key string, n Notify) {
	const advice = "a secret stands in the file; put it in the environment and write env:NAME"
	switch n.Channel {
	case ChannelPagerDuty:
		if strings.Contains(string(n.To), "/") {
			f.bad(key, hidden, wantChannel(n.Channel))
			return
		}
		f.warn(key, advice)
	case ChannelEventHub:
		host, hub, ok := strings.Cut(string(n.To), "/")
		if !ok || hub == "" || strings.Contains(hub, "/") || !webURL("https://"+host, "https") {
			f.bad(key, hidden, wantChannel(n.Channel))
		}
	case ChannelTeams, ChannelSlack, ChannelWebhook:
		u, err := url.Parse(string(n.To))
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
			f.bad(key, hidden, wantChannel(n.Channel))
			return
		}
		if u.RawQuery != "" || len(u.Path) > 1 {
			f.warn(key, advice)
		}
	}
}

func (f *finding) auth(a Auth) {
	word(f, "auth.mode", a.Mode, authModes()...)
	tokens := a.Mode == AuthEntra || a.Mode == AuthEasyAuth
	if a.Mode == AuthEntra && a.Tenant == "" {
		f.bad("auth.tenant", missing, "the tenant's GUID; mode entra needs it")
	}
	if a.Mode == AuthEntra && a.Audience == "" {
		f.bad("auth.audience", missing, "the audience that our tokens are made for; mode entra needs it")
	}
	if a.Tenant != "" && !guid(a.Tenant) {
		f.bad("auth.tenant", show(a.Tenant), "the tenant's GUID")
	}
	for _, s := range []struct {
		key string
		set bool
	}{{"tenant", a.Tenant != ""}, {"audience", a.Audience != ""}} {
		if s.set && !tokens {
			f.warn("auth."+s.key, "has no effect in mode "+string(a.Mode))
		}
	}
}

// grants checks who may do what in which groups.
func (f *finding) grants(c Config) {
	if len(c.Auth.Grants) > 0 && c.Auth.Mode != AuthEntra && c.Auth.Mode != AuthEasyAuth {
		f.bad("auth.grants", "mode "+string(c.Auth.Mode), "mode entra or easyauth: a shared key does not tell who calls")
	}
	for i, g := range c.Auth.Grants {
		key := fmt.Sprintf("auth.grants[%d].", i)
		for _, list := range []struct {
			name string
			of   []string
			want string
			fits func(string) bool
		}{
			{"who", g.Who, wantWho, grantee},
			{"may", g.May, "one of " + joined(grantActions()), func(s string) bool { return slices.Contains(grantActions(), s) }},
			{"groups", g.Groups, "a group of this file, or *", func(s string) bool { _, ok := c.Groups[s]; return ok || s == "*" }},
		} {
			if len(list.of) == 0 {
				f.bad(key+list.name, missing, "at least one: "+list.want)
			}
			for n, s := range list.of {
				if !list.fits(s) {
					f.bad(fmt.Sprintf("%s%s[%d]", key, list.name, n), show(s), list.want)
				}
			}
		}
	}
}

// grantee reports whether a text names callers.
func grantee(s string) bool {
	if name, ok := strings.CutPrefix(s, "role:"); ok {
		return name != "" && strings.TrimSpace(name) == name
	}
	if id, ok := strings.CutPrefix(s, "group:"); ok {
		return guid(id)
	}
	return s == "*" || guid(s)
}
