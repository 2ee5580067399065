package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// draw is a source of values.
type draw struct{ *rapid.T }

func pick[T any](d draw, name string, from ...T) T { return rapid.SampledFrom(from).Draw(d.T, name) }

func (d draw) coin(name string) bool { return rapid.Bool().Draw(d.T, name) }

// span draws a duration in whole seconds that the file can hold.
func (d draw) span(name string, least, most time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(int64(least/time.Second), int64(most/time.Second)).Draw(d.T, name)) * time.Second
}

func (d draw) text(name string) string {
	return rapid.StringMatching(`[A-Za-z0-9äß#:'"!&*%@{}\[\],.?-]([A-Za-z0-9äß #:'"!&*%@{}\[\],.?-]{0,12}[A-Za-z0-9ä#:'"!-])?`).Draw(d.T, name)
}

func (d draw) names(name string, least, most int) []string {
	return rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9][a-z0-9_-]{0,8}`), least, most, rapid.ID[string]).Draw(d.T, name)
}

// some draws a selection without repeats, or nil.
func some[T comparable](d draw, name string, from ...T) []T {
	list := rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, len(from), rapid.ID[T]).Draw(d.T, name)
	if len(list) == 0 {
		return nil
	}
	return list
}

// config draws a configuration that is in order.
func (d draw) config() Config {
	c := Default()
	c.Azure.Cloud = pick(d, "cloud", CloudPublic, CloudGovernment, CloudChina, CloudCustom)
	if c.Azure.Cloud == CloudCustom {
		c.Azure.Custom = &CustomCloud{ResourceManager: "https://arm.test", Audience: "https://arm.test/", Authority: "https://login.test:8443/x"}
		if d.coin("metrics") {
			c.Azure.Custom.Metrics, c.Azure.Custom.MetricsAudience = "https://{region}.metrics.test", "https://metrics.test"
		}
	}
	c.Azure.Identity.Kind = pick(d, "identity", IdentityManaged, IdentityWorkload, IdentityDeveloper)
	if c.Azure.Identity.Kind == IdentityManaged && d.coin("user-assigned") {
		c.Azure.Identity.ClientID = "00000000-0000-0000-0000-0000000000aB"
	}
	c.Azure.Budget = Budget{rapid.Float64Range(0.01, 1).Draw(d.T, "writes"), pick(d, "reads", 0.01, 0.5, 1)}
	if d.coin("blob") {
		c.Record = Record{Blob: &Blob{"https://a.blob.test/", "con-tainer"}}
	} else {
		c.Record = Record{Bolt: d.text("bolt")}
	}
	names := d.names("circuits", 2, 5)
	c.Circuits = map[string]Circuit{}
	for i, name := range names {
		c.Circuits[name] = d.circuit(i)
	}
	c.Groups = map[string]Group{}
	groups := d.names("groups", 1, 3)
	for i, name := range groups {
		c.Groups[name] = d.group(i, names)
	}
	for _, name := range d.names("drills", 0, 2) {
		if c.Drills == nil {
			c.Drills = map[string]Drill{}
		}
		hold := d.span("hold", time.Second, 23*time.Hour)
		c.Drills[name] = Drill{
			Group: pick(d, "drill group", groups...), Schedule: pick(d, "schedule", "0 2 1 * *", "*/5 1-3 * 2 MON"),
			Kind:     pick(d, "kind", DrillMove, DrillDisconnect, DrillLink, DrillTabletop, DrillEvacuate),
			Timezone: pick(d, "zone", "UTC", "Europe/Berlin"), Hold: hold, Limit: hold + d.span("more", time.Second, time.Hour),
			Announce: d.span("announce", 0, 48*time.Hour), Jitter: d.span("jitter", 0, 24*time.Hour),
			Objective: pick(d, "drill objective", 0, time.Minute), Calendars: some(d, "calendars", Secret("a.ics"), Secret("env:CAL")),
			Blackout: some(d, "blackout", Dates{"2026-12-24", "2026-12-24"}, Dates{"2026-12-31", "2027-01-02"}),
		}
	}
	c.EstateLimits = policy.Limits{OperationsAtOnce: rapid.IntRange(1, 1000).Draw(d.T, "at once"), OperationsPerHour: 7}
	for range rapid.IntRange(0, 3).Draw(d.T, "notify") {
		ch := pick(d, "channel", channels()...)
		to := Secret("env:NAME_1")
		if d.coin("literal") {
			to = map[Channel]Secret{
				ChannelTeams: "https://t.test/x?sig=y", ChannelSlack: "https://s.test/x", ChannelWebhook: "https://w.test",
				ChannelPagerDuty: "abc", ChannelEventHub: "ns.test/hub",
			}[ch]
		}
		topic := some(d, "for", topics()...)
		if topic == nil {
			topic = topics()
		}
		c.Notify = append(c.Notify, Notify{ch, to, topic})
	}
	c.Auth = d.auth()
	c.Timing.Linger = d.span("linger", 0, 14*time.Second)
	c.Timing.Poll.Monitor = d.coin("monitor")
	c.Timing.Poll.Doubt = d.span("doubt", time.Second, time.Minute)
	return c
}

func (d draw) auth() Auth {
	a := Auth{Mode: pick(d, "auth", AuthEntra, AuthEasyAuth, AuthFunctionKey, AuthLoopback)}
	if a.Mode == AuthEntra {
		a.Tenant, a.Audience = "00000000-0000-0000-0000-0000000000AA", d.text("audience")
		if d.coin("grant") {
			a.Grants = []Grant{{Who: []string{pick(d, "who", "*", "role:team a", "group:"+a.Tenant, a.Tenant)}, May: []string{pick(d, "may", grantActions()...)}, Groups: []string{"*"}}}
		}
	}
	return a
}

func (d draw) circuit(i int) Circuit {
	const net = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/"
	k := Circuit{ID: fmt.Sprintf("%sexpressroutecircuits/er-%d", net, i), Shares: some(d, "shares", "a", "b c", "1")}
	if d.coin("site") {
		k.Site = d.text("site name")
	}
	if d.coin("monitor") {
		k.Monitors = []string{fmt.Sprintf("%snetworkwatchers/w/connectionmonitors/m%d#Tg 1", net, i)}
	}
	for range rapid.IntRange(0, 2).Draw(d.T, "probes") {
		p := topology.Probe{Timeout: d.span("timeout", time.Second, time.Minute)}
		p.Every = p.Timeout + d.span("every", 0, time.Minute)
		if d.coin("tcp") {
			p.TCP = pick(d, "target", "10.0.0.1:179", "[fd00::1]:1", "router.test:65535")
		} else {
			p.HTTP = pick(d, "url", "http://10.0.0.1/", "https://h.test:8443/up")
		}
		k.Probes = append(k.Probes, p)
	}
	return k
}

func (d draw) group(i int, circuits []string) Group {
	g := DefaultGroup()
	for j := range rapid.IntRange(1, 3).Draw(d.T, "gateways") {
		kind := pick(d, "kind", "virtualnetworkgateways", "expressroutegateways")
		g.Gateways = append(g.Gateways, fmt.Sprintf("/subscriptions/s/resourcegroups/g/providers/microsoft.network/%s/gw-%d-%d", kind, i, j))
	}
	order := rapid.Permutation(circuits).Draw(d.T, "preference")
	cut := rapid.IntRange(1, len(order)-1).Draw(d.T, "home")
	g.Preference = [][]string{order[:cut], order[cut:]}
	if d.coin("baseline") {
		g.Baseline = map[string]int32{}
		for _, name := range order[:cut] {
			g.Baseline[name] = 32000
		}
		for _, name := range order[cut:] {
			g.Baseline[name] = rapid.Int32Range(0, 31999).Draw(d.T, "weight")
		}
	}
	g.Mode = pick(d, "mode", policy.Observe, policy.Approve, policy.Automatic)
	if d.coin("objective") {
		g.Objective = d.span("objective length", time.Second, 24*time.Hour)
	}
	g.Health = health.Rule{
		HoldDown: d.span("hold-down", time.Second, time.Hour), Observers: rapid.IntRange(1, 5).Draw(d.T, "observers"),
		ConfirmByRead: d.coin("confirm"), Degraded: pick(d, "degraded", health.DegradeIgnore, health.DegradeAlert, health.DegradeMove),
		MaxAge: health.DefaultMaxAge(), Damping: health.DefaultDamping(),
	}
	g.Health.HoldUp = g.Health.HoldDown + d.span("longer", 0, time.Hour)
	g.Health.Damping.Suppress = rapid.Float64Range(1000, 1e6).Draw(d.T, "suppress")
	g.Health.MaxAge[pick(d, "observer", observers()...)] = d.span("age", time.Second, 24*time.Hour)
	g.CoolDown, g.CandidateFresh = d.span("cool-down", 0, 168*time.Hour), d.span("fresh", time.Second, time.Hour)
	g.Failback.Mode = pick(d, "failback", policy.FailbackAutomatic, policy.FailbackManual)
	for _, text := range some(d, "windows", "Mon-Fri 20:00-06:00 America/New_York", "daily 00:00-24:00 UTC") {
		w, err := policy.ParseWindow(text)
		if err != nil {
			d.Fatal(err)
		}
		g.Failback.Windows = append(g.Failback.Windows, w)
	}
	g.Drift = pick(d, "drift", policy.DriftAsk, policy.DriftAccept, policy.DriftRestore)
	g.Approval = policy.Approval{Approvers: rapid.IntRange(1, 10).Draw(d.T, "approvers"), Distinct: d.coin("distinct"), Expires: d.span("expires", time.Second, 24*time.Hour)}
	g.PeeringWithoutApproval = d.coin("peering")
	if d.coin("accept") {
		g.AcceptWhenDown = policy.Acceptable()[rapid.IntRange(0, 1).Draw(d.T, "accepted"):]
	}
	first := rapid.IntRange(0, 2).Draw(d.T, "lever")
	last := rapid.IntRange(first, 2).Draw(d.T, "last lever")
	if g.Mode == policy.Automatic && !g.PeeringWithoutApproval {
		first, last = min(first, 1), min(last, 1)
	}
	g.Levers = slices.Clone(levers()[first : last+1])
	return g
}

// TestParseReadsWhatRenderWrites is the round trip, for every configuration that
// is in order; the schema accepts it, too.
func TestParseReadsWhatRenderWrites(t *testing.T) {
	s := compiled(t)
	rapid.Check(t, func(t *rapid.T) {
		want := draw{t}.config()
		text := want.render(open)
		got, _, err := Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("\n got %+v\nwant %+v\n%s", got, want, text)
		}
		if v, ok := plainValue(text); !ok || s.Validate(v) != nil {
			t.Fatalf("the schema refuses it: %v\n%s", s.Validate(v), text)
		}
	})
}

// TestSchemaAndParserAgreeOnWrongValues puts a value of any sort in the place of
// any key. The schema never refuses what the parser accepts, and refuses a value
// of the wrong sort.
func TestSchemaAndParserAgreeOnWrongValues(t *testing.T) {
	s, keys, whole := compiled(t), schemaKeys(t), full(t)
	rapid.Check(t, func(t *rapid.T) {
		d := draw{t}
		k := pick(d, "key", keys...)
		value := pick[any](d, "value", nil, true, false, 0, 1, 7, -1, 0.5, 1e9, "", "x", "5m", "0s", "3h", "a b", "env:X",
			"https://x.test/", "http://x.test", "weight", "automatic", "2026-12-24", "managed", "10.0.0.1:80",
			[]any{}, []any{"x"}, []any{"weight"}, []any{1}, []any{[]any{"ashburn"}}, tree{}, tree{"x": 1}, tree{"id": "x"})
		text, err := yaml.Marshal(changed(t.Fatalf, whole.tree(open), k.form, value))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = Parse(text)
		v, ok := plainValue(text)
		if !ok {
			t.Fatalf("no plain form:\n%s", text)
		}
		refused := s.Validate(v)
		if err == nil && refused != nil {
			t.Fatalf("%s: %v: the schema refuses what the parser accepts: %v", k.form, value, refused)
		}
		if refused == nil && formOnly(err) {
			t.Fatalf("%s: %v: the schema accepts what is wrong in form: %v", k.form, value, err)
		}
	})
}

// TestCheckSeesWhatParseNeverLetsThrough checks words in a Config made by hand.
func TestCheckSeesWhatParseNeverLetsThrough(t *testing.T) {
	c := mustParse(t, string(example(t)))
	c.Azure.Cloud, c.Auth.Mode = "moon", ""
	g := c.Groups["east"]
	g.Mode, g.Drift, g.Failback.Mode, g.Health.Degraded = "", "x", "", "x"
	g.Levers, g.AcceptWhenDown = []policy.Lever{"hope"}, []policy.Reason{policy.LastPath}
	c.Groups["east"] = g
	c.Notify[0].For = []Topic{"gossip"}
	c.Notify[1].Channel = "pigeon"
	problems, _ := c.Check()
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key+" "+p.Got)
	}
	want := []string{
		"azure.cloud moon", "groups.east.health.degraded x", "groups.east.mode (missing)", "groups.east.drift x",
		"groups.east.failback.mode (missing)", "groups.east.acceptWhenDown[0] last-path", "groups.east.levers[0] hope", "notify[0].for[0] gossip", "notify[1] pigeon",
		"auth.mode (missing)",
	}
	if !slices.Equal(keys, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(keys, "\n"), strings.Join(want, "\n"))
	}
}

// TestCheckChangesNothing checks that looking at a configuration leaves it alone.
func TestCheckChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw{t}.config()
		before := c.render(open)
		c.Check()
		if after := c.render(open); string(after) != string(before) {
			t.Fatalf("before\n%s\nafter\n%s", before, after)
		}
	})
}

// TestHashKnowsTheContentOnly shuffles the keys of a file, adds comments and
// leaves defaults out: the hash stays. It changes with any value.
func TestHashKnowsTheContentOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := draw{t}.config()
		var doc yaml.Node
		if err := yaml.Unmarshal(c.render(open), &doc); err != nil {
			t.Fatal(err)
		}
		shuffle(t, &doc)
		text, err := yaml.Marshal(&doc)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if got.Hash() != c.Hash() {
			t.Fatalf("hash %s became %s\n%s", c.Hash(), got.Hash(), text)
		}
		other := c
		other.Groups = maps.Clone(c.Groups)
		for name, g := range other.Groups {
			g.CoolDown += time.Second
			other.Groups[name] = g
			break
		}
		if other.Hash() == c.Hash() {
			t.Fatal("a changed cool-down has the same hash")
		}
	})
}

// shuffle permutes the keys of every mapping and comments on some.
func shuffle(t *rapid.T, n *yaml.Node) {
	for _, c := range n.Content {
		shuffle(t, c)
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	pairs := slices.Collect(slices.Chunk(n.Content, 2))
	if len(pairs) > 1 {
		pairs = rapid.Permutation(pairs).Draw(t, "order")
	}
	n.Content = nil
	for _, p := range pairs {
		if rapid.Bool().Draw(t, "comment") {
			p[0].HeadComment = "# why"
		}
		n.Content = append(n.Content, p...)
	}
}

func TestHashIgnoresSpelledOutDefaults(t *testing.T) {
	short := mustParse(t, minimal)
	long := mustParse(t, string(short.render(open)))
	if short.Hash() != long.Hash() {
		t.Errorf("%s and %s", short.Hash(), long.Hash())
	}
	if !strings.HasPrefix(short.Hash(), "c-") || len(short.Hash()) != 22 {
		t.Errorf("hash %q", short.Hash())
	}
}

// FuzzParse checks for any bytes: no panic, complete problems in the order of the
// file, and for a good file that Render is read as the same configuration.
func FuzzParse(f *testing.F) {
	f.Add(example(f))
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("? {\n"))
	f.Add([]byte("version: 1\n---\n"))
	f.Add([]byte("groups: {e: {health: {holdDown: 9999999h}, baseline: {x: 999999999}, preference: [[], [[]]]}}\ndrills: {d: {schedule: TZ=}}"))
	f.Add([]byte("%TAG ! x\n--- !a b"))
	f.Add([]byte("\xef\xbb\xbfversion: 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, _, err := Parse(text)
		if err != nil {
			var v Invalid
			if !errors.As(err, &v) || len(v) == 0 || !errors.Is(err, fault.Invalid) {
				t.Fatalf("error %T %v", err, err)
			}
			for i, p := range v {
				if p.Line < 1 || p.Column < 1 || p.Key == "" || p.Got == "" || p.Want == "" || strings.ContainsAny(p.Key+p.Got, "\n\x1b") {
					t.Fatalf("problem %+v", p)
				}
				if i > 0 && p.Line < v[i-1].Line {
					t.Fatalf("line %d after %d", p.Line, v[i-1].Line)
				}
			}
			return
		}
		again, _, err := Parse(c.render(open))
		if err != nil {
			t.Fatalf("%v\n%s", err, c.render(open))
		}
		if again.Hash() != c.Hash() {
			t.Fatalf("hash changed\n%s\n%s", c.render(open), again.render(open))
		}
	})
}

// TestHugeFilesEndSoon holds the bounds on what a file may cost.
func TestHugeFilesEndSoon(t *testing.T) {
	for name, text := range map[string]string{
		"too long": "version: 1\n#" + strings.Repeat("x", maxText),
		"many keys": "version: 1\n" + func() string {
			var b strings.Builder
			for i := range 40000 {
				fmt.Fprintf(&b, "k%d: {}\n", i)
			}
			return b.String()
		}(),
		"one long key": strings.Repeat("k", maxText-10) + ": 1",
		"deep":         "a: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"laughs":       laughs(),
	} {
		_, _, err := Parse([]byte(text))
		var v Invalid
		if !errors.As(err, &v) {
			t.Fatalf("%s: %v", name, err)
		}
		if n := len(err.Error()); n > 200*1000 {
			t.Errorf("%s: the error is %d bytes long", name, n)
		}
	}
}

func laughs() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	return b.String()
}

func TestDurationsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 9999999).Draw(t, "s")) * time.Second
		if got, ok := parseDuration(formatDuration(d)); !ok || got != d {
			t.Fatalf("%v written as %s read as %v", d, formatDuration(d), got)
		}
	})
	if d, ok := parseDuration("9999999h"); ok {
		t.Errorf("9999999h is %v, which does not fit", d)
	}
}
