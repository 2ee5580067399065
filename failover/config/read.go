package config

import (
	"strings"

	"erfailover/events"
	"erfailover/failover/topology"
)

// read fills c from the root of the file.
func (c *Config) read(root node) {
	root.object("a mapping with version, circuits and groups", fields{
		"version": func(v node) {
			if v.whole(&c.Version) && c.Version == 0 {
				v.fail("0", "1")
			}
		},
		"azure": c.Azure.read,
		"record": func(v node) {
			c.Record = Record{}
			c.Record.read(v)
		},
		"circuits": func(v node) {
			c.Circuits = map[string]Circuit{}
			v.named("a mapping of circuit names to circuits", func(name string, v node) {
				var k Circuit
				k.read(v)
				c.Circuits[name] = k
			})
		},
		"groups": func(v node) {
			c.Groups = map[string]Group{}
			v.named("a mapping of group names to groups", func(name string, v node) {
				g := DefaultGroup()
				g.read(v)
				c.Groups[name] = g
			})
		},
		"limits": func(v node) {
			v.object("a mapping like {operationsAtOnce: 2, operationsPerHour: 6}", fields{
				"operationsAtOnce":  func(v node) { v.whole(&c.EstateLimits.OperationsAtOnce) },
				"operationsPerHour": func(v node) { v.whole(&c.EstateLimits.OperationsPerHour) },
			})
		},
		"drills": func(v node) {
			c.Drills = map[string]Drill{}
			v.named("a mapping of drill names to drills", func(name string, v node) {
				d := DefaultDrill()
				d.read(v)
				c.Drills[name] = d
			})
		},
		"notify": func(v node) {
			for _, item := range v.items("a list of places to tell") {
				var n Notify
				n.read(item)
				c.Notify = append(c.Notify, n)
			}
		},
		"auth":   c.Auth.read,
		"timing": c.Timing.read,
	})
}

func (a *Azure) read(v node) {
	v.object("a mapping with cloud, identity and budget", fields{
		"cloud": func(v node) { enum(v, &a.Cloud, clouds()...) },
		"custom": func(v node) {
			a.Custom = &CustomCloud{}
			v.object("a mapping with resourceManager, audience and authority", fields{
				"resourceManager": func(v node) { a.Custom.ResourceManager, _ = v.text("an https URL") },
				"audience":        func(v node) { a.Custom.Audience, _ = v.text("an https URL") },
				"authority":       func(v node) { a.Custom.Authority, _ = v.text("an https URL") },
				"metrics":         func(v node) { a.Custom.Metrics, _ = v.text("an https URL") },
				"metricsAudience": func(v node) { a.Custom.MetricsAudience, _ = v.text("an https URL") },
			})
		},
		"identity": func(v node) {
			s, ok := v.text(wantIdentity)
			if !ok {
				return
			}
			kind, client, user := strings.Cut(s, ":")
			a.Identity = Identity{Kind: IdentityKind(kind), ClientID: client}
			if user && client == "" {
				v.fail(v.got(), wantIdentity)
			}
		},
		"budget": func(v node) {
			v.object("a mapping like {writes: 0.8, reads: 0.5}", fields{
				"writes": func(v node) { v.number(&a.Budget.Writes) },
				"reads":  func(v node) { v.number(&a.Budget.Reads) },
			})
		},
	})
}

func (r *Record) read(v node) {
	v.object("a mapping with bolt or blob", fields{
		"bolt": func(v node) { r.Bolt, _ = v.text("a file path") },
		"blob": func(v node) {
			r.Blob = &Blob{}
			v.object("a mapping with account and container", fields{
				"account":   func(v node) { r.Blob.Account, _ = v.text("an https URL") },
				"container": func(v node) { r.Blob.Container, _ = v.text("a container name") },
			})
		},
	})
}

func (k *Circuit) read(v node) {
	v.object("a mapping with id", fields{
		"id":     func(v node) { k.ID = v.resource(events.TypeCircuit) },
		"site":   func(v node) { k.Site, _ = v.text("a site name") },
		"shares": func(v node) { k.Shares = v.texts("a list of names", "a name of what is shared") },
		"monitors": func(v node) {
			for _, item := range v.items("a list of connection monitors") {
				if m := item.monitor(); m != "" {
					k.Monitors = append(k.Monitors, m)
				}
			}
		},
		"probes": func(v node) {
			for _, item := range v.items("a list of probes") {
				p := DefaultProbe()
				readProbe(item, &p)
				k.Probes = append(k.Probes, p)
			}
		},
	})
}

func readProbe(v node, p *topology.Probe) {
	v.object(`a mapping like {tcp: "10.0.0.1:179", every: 5s, timeout: 1s}`, fields{
		"tcp":     func(v node) { p.TCP, _ = v.text("host:port") },
		"http":    func(v node) { p.HTTP, _ = v.text("an http or https URL") },
		"every":   func(v node) { v.duration(&p.Every) },
		"timeout": func(v node) { v.duration(&p.Timeout) },
	})
}

// resource reads a resource ID of one of the types and returns it canonical.
func (n node) resource(types ...string) string {
	want := "a resource ID of type " + strings.Join(types, " or ")
	s, ok := n.text(want)
	if !ok {
		return ""
	}
	id, err := events.ParseResourceID(s)
	if err == nil && id.Subscription != "" && id.Group != "" {
		for _, t := range types {
			if id.Type() == t {
				return id.String()
			}
		}
	}
	n.fail(n.got(), want+": /subscriptions/.../resourceGroups/.../providers/...")
	return ""
}

// monitor reads a Connection Monitor's ID with or without "#test group".
func (n node) monitor() string {
	s, ok := n.text("a connection monitor's resource ID, or ID#test group")
	if !ok {
		return ""
	}
	plain, group, named := strings.Cut(s, "#")
	if id, err := events.ParseResourceID(plain); err == nil && id.Type() == events.TypeMonitor && id.Group != "" && named == (group != "") {
		if named {
			return id.String() + "#" + group
		}
		return id.String()
	}
	n.fail(n.got(), "a resource ID of type "+events.TypeMonitor+", or ID#test group")
	return ""
}

func (n *Notify) read(v node) {
	known := fields{
		"for": func(v node) {
			for _, item := range v.items("a list of " + joined(topics())) {
				var t Topic
				enum(item, &t, topics()...)
				if t != "" {
					n.For = append(n.For, t)
				}
			}
		},
	}
	for _, ch := range channels() {
		known[string(ch)] = func(v node) {
			v.secret = true
			if n.Channel != "" {
				v.fail(hidden, "one channel in each entry; "+string(n.Channel)+" is already here")
				return
			}
			s, _ := v.text(wantChannel(ch))
			n.Channel, n.To = ch, Secret(s)
		}
	}
	v.object("a mapping with a channel and for", known)
}

func (a *Auth) read(v node) {
	v.object("a mapping with mode", fields{
		"mode":     func(v node) { enum(v, &a.Mode, authModes()...) },
		"tenant":   func(v node) { a.Tenant, _ = v.text("a tenant GUID") },
		"audience": func(v node) { a.Audience, _ = v.text("the audience of our tokens") },
		"grants": func(v node) {
			for _, item := range v.items("a list like [{who: [role:team-east], may: [read, order], groups: [east]}]") {
				var g Grant
				item.object("a mapping with who, may and groups", fields{
					"who":    func(v node) { g.Who = v.texts("a list of callers", wantWho) },
					"may":    func(v node) { g.May = v.texts("a list of actions", "one of "+joined(grantActions())) },
					"groups": func(v node) { g.Groups = v.texts("a list of groups", "a group's name, or *") },
				})
				a.Grants = append(a.Grants, g)
			}
		},
	})
}

func (t *Timing) read(v node) {
	v.object("a mapping of waits", fields{
		"linger":       func(v node) { v.duration(&t.Linger) },
		"sendDeadline": func(v node) { v.duration(&t.SendDeadline) },
		"landing":      func(v node) { v.duration(&t.Landing) },
		"readDeadline": func(v node) { v.duration(&t.ReadDeadline) },
		"settleAfter":  func(v node) { v.duration(&t.SettleAfter) },
		"poll": func(v node) {
			v.object("a mapping like {doubt: 1m, all: 5m}", fields{
				"doubt":   func(v node) { v.duration(&t.Poll.Doubt) },
				"all":     func(v node) { v.duration(&t.Poll.All) },
				"monitor": func(v node) { v.flag(&t.Poll.Monitor) },
			})
		},
	})
}
