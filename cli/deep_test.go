package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/report"
	"erfailover/failover/sim"
)

// slowAzure answers every question after a while, or as it is told to.
type slowAzure struct {
	asked map[executor.Question]int
	takes time.Duration
	began map[executor.Token]time.Time
	how   func(q executor.Question, nth int) executor.Begun // nil, or an answer without a token and without an error: it is begun
	dead  map[executor.QuestionKind]bool                    // never ends
	most  int                                               // questions that ran at once
	ch    chan struct{}                                     // one at a time
}

func newSlowAzure(takes time.Duration) *slowAzure {
	s := &slowAzure{asked: map[executor.Question]int{}, takes: takes, began: map[executor.Token]time.Time{}, dead: map[executor.QuestionKind]bool{}, ch: make(chan struct{}, 1)}
	s.ch <- struct{}{}
	return s
}

func (s *slowAzure) Ask(_ context.Context, questions []executor.Question) []executor.Begun {
	<-s.ch
	defer func() { s.ch <- struct{}{} }()
	q := questions[0]
	s.asked[q]++
	if s.how != nil {
		if b := s.how(q, s.asked[q]); b.Token != "" || b.Err != nil {
			return []executor.Begun{b}
		}
	}
	token := executor.Token(fmt.Sprint(q, s.asked[q]))
	s.began[token] = time.Now()
	s.most = max(s.most, len(s.began))
	return []executor.Begun{{Outcome: executor.Unknown, Token: token}}
}

func (s *slowAzure) Poll(_ context.Context, running []executor.Running) []executor.Polled {
	<-s.ch
	defer func() { s.ch <- struct{}{} }()
	r := running[0]
	if s.dead[r.Question.Kind] || time.Since(s.began[r.Token]) < s.takes {
		return []executor.Polled{{Token: r.Token}}
	}
	delete(s.began, r.Token)
	a := &executor.Answer{Question: *r.Question}
	if r.Question.Kind == executor.AskPeers {
		a.Peers = []executor.Peer{{Neighbor: "10.0.0.4"}, {Neighbor: "10.0.0.5", Established: true}}
	}
	return []executor.Polled{{Done: true, Answer: a}}
}

// lanesOf makes lanes of one gateway each.
func lanesOf(n int) (out [][]executor.Question) {
	for i := range n {
		target := fmt.Sprintf("/g/%02d", i)
		out = append(out, []executor.Question{{Kind: executor.AskSets, Target: target}, {Kind: executor.AskPeers, Target: target}})
	}
	return out
}

// Twenty gateways are read eight at a time, each of them one question after the other;
// what an answer leads to is asked as well, and progress reaches the end.
func TestSlowReadsGoAbreast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		azure, last := newSlowAzure(30*time.Second), ""
		began := time.Now()
		d := &deepReader{net: azure, patience: 2 * time.Minute, pause: deepPause, tell: func(done, left int) { last = fmt.Sprint(done, " of ", done+left) }}
		looks := d.read(t.Context(), lanesOf(20))
		if len(looks) != 60 || last != "60 of 60" || azure.most != deepAbreast {
			t.Errorf("%d looks, progress %q, %d at once", len(looks), last, azure.most)
		}
		for i, l := range looks {
			want := executor.Question{Kind: []executor.QuestionKind{executor.AskSets, executor.AskPeers, executor.AskAdvertised}[i%3], Target: fmt.Sprintf("/g/%02d", i/3)}
			if i%3 == 2 {
				want.Peer = "10.0.0.5" // the one that is connected
			}
			if l.Question != want || l.Err != nil || l.Answer == nil {
				t.Errorf("look %d: %+v, want the answer to %+v", i, l, want)
			}
		}
		if took := time.Since(began); took != 3*90*time.Second { // 20 lanes, 8 abreast, 3 reads each
			t.Errorf("it took %s", took)
		}
	})
}

// A read that never ends, one that Azure refuses for a while, one that it refuses for
// good: each has its answer or its reason, by its own deadline.
func TestSlowReadsHaveDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		azure := newSlowAzure(time.Second)
		azure.dead[executor.AskTable] = true
		azure.how = func(q executor.Question, nth int) executor.Begun {
			switch {
			case q.Kind == executor.AskARP:
				return executor.Begun{Err: &fault.Error{Op: "begin slow read", Kind: fault.Denied, Hint: "give the identity the Observer role there", Err: errors.New("refused")}}
			case q.Kind == executor.AskBGP && nth <= 2:
				return executor.Begun{Err: &fault.Error{Op: "begin slow read", Kind: fault.Throttled, Err: errors.New("too many requests")}, RetryAfter: 20 * time.Second}
			}
			return executor.Begun{}
		}
		began := time.Now()
		d := &deepReader{net: azure, patience: time.Minute, pause: deepPause, tell: func(int, int) {}}
		looks := d.read(t.Context(), [][]executor.Question{{{Kind: executor.AskBGP, Target: "/c/a"}, {Kind: executor.AskARP, Target: "/c/a"}, {Kind: executor.AskTable, Target: "/c/a"}}})
		if looks[0].Err != nil || looks[0].Answer == nil {
			t.Errorf("throttled twice: %+v", looks[0])
		}
		if !errors.Is(looks[1].Err, fault.Denied) || azure.asked[looks[1].Question] != 1 {
			t.Errorf("denied: %v, asked %d times", looks[1].Err, azure.asked[looks[1].Question])
		}
		if looks[2].Err == nil || !strings.Contains(looks[2].Err.Error(), "no answer within 1m0s") || !strings.Contains(fault.HintOf(looks[2].Err), "--patience") {
			t.Errorf("never ends: %v", looks[2].Err)
		}
		if took := time.Since(began); took < 90*time.Second || took > 110*time.Second {
			t.Errorf("it took %s", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, l := range d.read(ctx, lanesOf(1)) {
			if l.Err == nil {
				t.Errorf("given up: %+v", l)
			}
		}
	})
}

// deepOn checks an estate in depth through the real client, without waiting for
// simulated routers.
func deepOn(t *testing.T, change func(*sim.Spec), harm func(*sim.Fabric, sim.Demo, time.Time), faults ...sim.Rule) ([]report.Issue, string) {
	t.Helper()
	var progress bytes.Buffer
	return reportDeep(t, func(s *sim.Spec) { s.Timing.Read = time.Millisecond; change(s) }, harm, func(s string) string { return s }, depth{on: true, patience: time.Minute, pause: time.Millisecond, progress: &progress}, faults), progress.String()
}

// Eleven things are wrong that only slow reads show, and each is found where it is; a
// sound estate is told nothing that quick reads do not tell.
func TestCheckFindsWhatOnlySlowReadsShow(t *testing.T) {
	issues, progress := deepOn(t, func(*sim.Spec) {}, func(*sim.Fabric, sim.Demo, time.Time) {})
	for _, i := range issues {
		if i.Rule != "reverse-unproven" {
			t.Errorf("a sound estate is told %s %s: %s", i.Rule, i.Subject, i.Fact)
		}
	}
	if want := "69 of 69 slow reads were answered"; !strings.Contains(progress, want) || !strings.Contains(progress, "of 69 slow reads have ended") {
		t.Errorf("progress: %s, want %s", progress, want)
	}
	issues, _ = deepOn(t, func(s *sim.Spec) {
		far := circuitSpec(s, "er-dallas")
		for i := range 85 {
			far.Prefixes = append(far.Prefixes, fmt.Sprintf("fd00:%x::/48", i+1))
		}
	}, func(f *sim.Fabric, d sim.Demo, now time.Time) {
		at := d.Circuits
		f.SetBGP(at["er-ashburn"], sim.Secondary, false, now)
		f.SetBGP(at["er-dallas-2"], sim.Primary, false, now)
		f.SetBGP(at["er-dallas-2"], sim.Secondary, false, now)
		f.SetARP(at["er-newark"], sim.Primary, false, now)
		f.Announce(at["er-chicago-2"], []string{"10.10.0.0/16", "10.20.0.0/16", "192.168.0.0/20", "10.20.7.0/24"}, now)
		f.Announce(at["er-newark"], []string{"10.10.0.0/16", "192.168.0.0/16"}, now)
		f.Mute(d.Connections["gw-east-2/er-chicago"], now)
		f.Keep(d.Connections["gw-east-3/er-chicago"], "10.20.0.0/16", now)
		f.SetDrained(at["er-chicago"], sim.Primary, true, now)
	}, sim.Rule{Match: sim.Match{Path: "gw-central-3/getBgpPeerStatus", Times: -1}, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}},
		sim.Rule{Match: sim.Match{Path: "er-dallas/peerings/AzurePrivatePeering/arpTables/secondary"}, Fault: sim.Fault{Kind: sim.Throttled, RetryAfter: "0"}})
	for _, want := range []struct{ rule, subject, fact string }{
		{"one-session", "ashburn", "the BGP session of its secondary link is not up: Idle"},
		{"no-session", "dallas-2", "no BGP session is up: its primary link is Idle, its secondary link Idle"},
		{"arp-missing", "newark", "the ARP table of its primary link has no entry of on-premises"},
		{"longer-prefix", "chicago-2", "on-premises announces longer prefixes over it than over dallas: 10.20.7.0/24 (in 10.20.0.0/16 of dallas)"},
		{"prefixes-not-covered", "newark", "on-premises announces over chicago and not over it: 10.20.0.0/16, 192.168.0.0/20 (there 192.168.0.0/16 holds it)"},
		{"networks-not-announced", "chicago", "it does not announce networks of gw-east-2 to on-premises: 10.200.1.0/24"},
		{"gateway-routes-differ", "gw-east-3", "it learns 3 prefixes over ashburn and 2 over chicago; missing there: 10.20.0.0/16"},
		{"gateway-session-down", "gw-east-1", "its session with 10.255.1.5 is Idle"},
		{"maintenance-prepended", "chicago", "of its primary link carry AS 12076 eight times"},
		{"maintenance-prepended", "gw-central-1", "that it learned from 10.255.3.4 carry AS 12076 eight times"},
		{"routes-near-limit", "dallas", "on-premises announces 85 IPv6 prefixes over its primary link; the circuit takes 100"},
		{"could-not-look", "gw-central-3", "its BGP sessions could not be read: "},
	} {
		i := slices.IndexFunc(issues, func(i report.Issue) bool {
			return i.Rule == want.rule && i.Subject == want.subject && strings.Contains(i.Fact, want.fact)
		})
		if i < 0 {
			t.Errorf("%s of %s was not found: %q", want.rule, want.subject, want.fact)
		}
	}
	told := map[string]bool{}
	for _, i := range issues {
		told[i.Rule] = true
		if i.Rule == "could-not-look" && (i.Subject != "gw-central-3" || !strings.Contains(i.Fact, "denied")) {
			t.Errorf("%s could be looked at: %s", i.Subject, i.Fact)
		}
	}
	if n := len(slices.Collect(maps.Keys(told))); n < 11 {
		t.Errorf("%d rules speak", n)
	}
}
