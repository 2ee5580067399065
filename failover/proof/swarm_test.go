package proof

import (
	"strconv"
	"time"

	"erfailover/failover"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// swarm is one seed's own world: which faults exist in it and how often they
// strike, how long everything takes, and how the estate looks.
type swarm struct {
	rates    map[string]float64
	pauseMax time.Duration
	skewMax  time.Duration
	chaos    time.Duration
	quiet    time.Duration
	rest     time.Duration // after the quiet: not one write

	instances int
	gateways  int
	circuits  int
	homes     int // circuits in the home tier
	vwan      bool
	groups    int
	flip      time.Duration // mean time between changes of a circuit
	drift     policy.Drift
	mode      policy.Mode
	manual    bool // failback by order only
	approvers int
	levers    bool // paths are cut on purpose, too
	mixed     bool // instances run this version and a newer one, and change at a restart
	lame      bool // a circuit stays dead in the quiet phase
	orders    time.Duration
	foreign   time.Duration
	rule      health.Rule
	coolDown  time.Duration
	fresh     time.Duration
	settle    time.Duration
	standby   time.Duration
	perHour   int
	pace      executor.Timing
	every     time.Duration // between looks of the observers
	beat      time.Duration // between ticks
}

// kinds lists every fault that a step of the system may meet, with the most often
// that it strikes. World faults (events, orders) are in the script.
func kinds() map[string]float64 {
	return map[string]float64{
		"crash-before": 0.004, "crash-after": 0.004, "pause": 0.01, "pause-after": 0.006,
		"store-unavailable": 0.03, "store-conflict": 0.03, "store-lost-answer": 0.03,
		"arm-5xx-read": 0.10, "stale-get": 0.10, "arm-5xx-before": 0.15, "slow-flight": 0.3,
		"arm-throttled": 0.2, "arm-busy": 0.2, "arm-denied": 0.05, "arm-5xx-unapplied": 0.2, "land-late": 0.4,
		"op-failed": 0.15, "op-cancelled": 0.1, "op-failed-yet-applied": 0.15, "op-failed-lands-later": 0.25, "op-expired": 0.15, "op-hangs": 0.1,
		"arm-5xx-applied": 0.2, "arm-lost-reply": 0.25,
		"event-duplicate": 0.2, "event-late": 0.15, "event-lost": 0.1, "event-future": 0.02, "silence": 0.03, "observers-silent": 0.02, "pause-before-begin": 0.1, "target-dies": 0.8, "others-recover": 0.6, "tick-skipped": 0.2, "tick-doubled": 0.3,
	}
}

// rare are kinds that most runs do without: they break what the protocol assumes,
// and the oracles that rest on the assumption stand back.
func rare() map[string]float64 {
	return map[string]float64{"land-beyond-d": 0.1, "record-goes-back": 1}
}

// added are kinds that came later. They are drawn by name, so that a new one leaves
// the worlds of all seeds as they were but for itself; failures that were kept before
// are played without them.
func added() map[string]float64 {
	return map[string]float64{"write-clobbers": 0.06, "kill-at-claim": 0.3, "foreign-test": 0.08, "stall-after-intent": 0.05, "op-succeeds-unapplied": 0.05, "op-fails-slowly": 0.1, "kill-after-decision": 0.3, "weights-inert": 0.5}
}

func (s *swarm) rate(kind string) float64 { return s.rates[kind] }

// drawSwarm makes a seed's world.
func drawSwarm(w *world) swarm {
	n := 0
	num := func(k uint64) uint64 { n++; return w.draw("swarm", n, "n") % k }
	span := func(list ...time.Duration) time.Duration { return list[num(uint64(len(list)))] }
	s := swarm{rates: map[string]float64{}}
	for i, k := range sortedKeys(kinds()) {
		if w.draw("swarm", i, "on")%2 == 0 {
			s.rates[k] = kinds()[k] * (0.2 + 0.8*share(w.draw("swarm", i, "rate")))
		}
	}
	for i, k := range sortedKeys(rare()) {
		if w.draw("swarm", i, "rare")%8 == 0 {
			s.rates[k] = rare()[k]
		}
	}
	for _, k := range sortedKeys(added()) {
		if w.draw("swarm", 0, "added "+k)%4 == 0 {
			s.rates[k] = added()[k]
		}
	}
	s.pace = executor.DefaultTiming()
	s.pace.Landing = span(90*time.Second, 3*time.Minute, 5*time.Minute)
	s.pace.SendDeadline = span(15*time.Second, time.Minute)
	s.pace.GiveUp = span(3*time.Minute, 10*time.Minute)
	s.pauseMax = span(30*time.Second, 3*time.Minute, 10*time.Minute)
	s.skewMax = span(0, 0, time.Second, 3*time.Second)
	s.chaos = span(8*time.Minute, 15*time.Minute, 30*time.Minute)
	s.quiet, s.rest = 24*time.Minute, 4*time.Minute
	s.instances = 2 + int(num(3))
	s.gateways = 1 + int(num(3))
	s.circuits = []int{2, 3, 3, 4}[num(4)]
	s.groups, s.approvers = 1, 1
	s.homes = 1
	if s.circuits > 2 && num(5) == 0 {
		s.homes = 2
	}
	s.vwan = num(6) == 0
	s.flip = span(20*time.Second, 45*time.Second, 90*time.Second, 4*time.Minute)
	s.drift = policy.DriftAsk
	s.mode = policy.Automatic
	switch num(8) {
	case 0:
		s.mode, s.approvers = policy.Approve, 1+int(w.draw("swarm", 0, "approvers")%2)
	case 1:
		s.manual = true
	case 2:
		s.drift = policy.DriftAccept
	}
	s.lame = num(3) == 0
	s.orders = span(0, 0, 2*time.Minute, 6*time.Minute)
	s.foreign = span(0, 0, 0, 5*time.Minute)
	s.rule = health.DefaultRule()
	s.rule.HoldDown = span(5*time.Second, 15*time.Second, 30*time.Second)
	s.rule.HoldUp = s.rule.HoldDown + span(15*time.Second, time.Minute, 2*time.Minute)
	s.rule.Damping.HalfLife, s.rule.Damping.Max = 2*time.Minute, 6*time.Minute
	s.coolDown = span(20*time.Second, time.Minute, 4*time.Minute)
	s.fresh = span(90*time.Second, 3*time.Minute)
	s.settle = span(10*time.Second, time.Minute)
	s.standby = span(20*time.Second, 2*time.Minute)
	s.perHour = int(span(6, 20, 60))
	s.every, s.beat = 30*time.Second, 15*time.Second
	if num(5) < 2 {
		s.storm()
	} else if w.draw("swarm", 0, "groups")%4 == 0 {
		s.groups = 2
	}
	if s.groups == 1 && w.draw("swarm", 0, "levers")%6 == 0 {
		s.pulling()
	}
	s.mixed = w.draw("swarm", 0, "mixed")%3 == 0
	return s
}

// pulling makes a world in which people and the automation pull levers. The record does
// not go back in it: a lever whose document is lost is a known gap.
func (s *swarm) pulling() {
	s.levers, s.mode, s.groups, s.homes = true, policy.Automatic, 1, 1
	s.orders = 75 * time.Second
	delete(s.rates, "record-goes-back")
	delete(s.rates, "land-beyond-d")
}

// storm makes a world in which decisions follow each other as fast as the rules
// allow, and writes are as late as they may be: the protocol's own corner.
func (s *swarm) storm() {
	s.every, s.beat = 9*time.Second, 6*time.Second
	s.gateways, s.circuits, s.homes = min(s.gateways, 2), min(s.circuits, 3), 1
	s.chaos, s.perHour, s.mode, s.manual = 14*time.Minute, 1000, policy.Automatic, false
	s.rule.HoldDown, s.rule.HoldUp, s.rule.Damping = 2*time.Second, 5*time.Second, health.Damping{}
	s.coolDown, s.standby, s.settle, s.fresh = 2*time.Second, 3*time.Second, 4*time.Second, 90*time.Second
	s.flip = 30 * time.Second
	for k, r := range map[string]float64{"land-late": 0.5, "op-failed-lands-later": 0.25, "arm-lost-reply": 0.25, "slow-flight": 0.3, "target-dies": 0.8, "others-recover": 0.6} {
		s.rates[k] = r
	}
	for _, k := range []string{"arm-denied", "event-late", "event-lost", "silence", "observers-silent", "arm-5xx-read", "tick-skipped"} {
		delete(s.rates, k)
	}
}

// rules returns the group rules of the engine's configuration.
func (s *swarm) rules() map[string]failover.GroupRules {
	r := failover.GroupRules{Health: s.rule, Policy: policy.Rule{
		Mode: s.mode, Objective: 3 * time.Minute, CoolDown: s.coolDown, Fresh: s.fresh, SettleAfter: s.settle,
		Failback: policy.Failback{Mode: policy.FailbackAutomatic, After: s.standby}, Drift: s.drift,
		Approval: policy.Approval{Approvers: max(1, s.approvers), Distinct: true, Expires: approvalExpires}, Levers: []policy.Lever{policy.LeverWeight}}}
	if s.levers {
		r.Policy.Levers = append(r.Policy.Levers, policy.LeverDisconnect, policy.LeverPeering)
	}
	if s.manual {
		r.Policy.Failback.Mode = policy.FailbackManual
	}
	return map[string]failover.GroupRules{"east": r, "west": r}
}

// limits returns the blast radius; in the quiet phase it is wide, so that only the
// protocol decides whether the estate comes to rest.
func (s *swarm) limits(quiet bool) policy.Limits {
	if quiet {
		return policy.Limits{OperationsAtOnce: 4, OperationsPerHour: 1000}
	}
	if s.groups > 1 {
		return policy.Limits{OperationsAtOnce: 1, OperationsPerHour: s.perHour}
	}
	return policy.Limits{OperationsAtOnce: 2, OperationsPerHour: s.perHour}
}

func (s *swarm) timing() failover.Timing {
	t := failover.DefaultTiming()
	t.Timing = s.pace
	t.PollDoubt = 20 * time.Second
	t.PollAll = 4 * time.Minute
	t.ReadDeadline = 40 * time.Second
	t.Reread = time.Minute
	return t
}

const sub = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/net/providers/microsoft.network/"

// estate makes the topology and the weights at rest.
func (s *swarm) estate() (topology.Estate, map[string]int32) {
	est, weights := topology.Estate{}, map[string]int32{}
	names := []string{"ashburn", "chicago", "dallas", "elpaso"}[:s.circuits]
	g := topology.Group{Name: "east"}
	for n := range s.gateways {
		gw := topology.Gateway{ID: sub + "virtualnetworkgateways/gw" + strconv.Itoa(n+1), Kind: topology.VNet, Region: "eastus"}
		if s.vwan && n == s.gateways-1 {
			gw.ID, gw.Kind = sub+"expressroutegateways/hub"+strconv.Itoa(n+1), topology.VWAN
		}
		est.Gateways = append(est.Gateways, gw)
		g.Gateways = append(g.Gateways, gw.ID)
	}
	for i, name := range names {
		c := topology.Circuit{Name: name, ID: sub + "expressroutecircuits/er-" + name, Provider: "Provider " + strconv.Itoa(i), Location: "Location " + strconv.Itoa(i), Bandwidth: 1000, Tier: "Premium"}
		est.Circuits = append(est.Circuits, c)
		for _, gw := range est.Gateways {
			id := sub + "connections/" + short(gw.ID) + "-" + name
			if gw.Kind == topology.VWAN {
				id = gw.ID + "/expressrouteconnections/" + short(gw.ID) + "-" + name
			}
			est.Connections = append(est.Connections, topology.Connection{ID: id, Gateway: gw.ID, Circuit: c.ID})
			weights[id] = int32(200 - 50*max(0, i-s.homes+1))
		}
		if i > 0 && i < s.homes {
			g.Tiers[0] = append(g.Tiers[0], name)
			continue
		}
		g.Tiers = append(g.Tiers, []string{name})
	}
	est.Groups = []topology.Group{g}
	if s.groups > 1 {
		s.second(&est, weights, names)
	}
	est.Sort()
	return est, weights
}

// second adds a group of one gateway that uses the same circuits, with another home.
func (s *swarm) second(est *topology.Estate, weights map[string]int32, names []string) {
	gw := topology.Gateway{ID: sub + "virtualnetworkgateways/gw9", Kind: topology.VNet, Region: "westus"}
	est.Gateways = append(est.Gateways, gw)
	g := topology.Group{Name: "west", Gateways: []string{gw.ID}}
	for i := range names {
		name := names[(i+1)%len(names)]
		g.Tiers = append(g.Tiers, []string{name})
		id := sub + "connections/gw9-" + name
		est.Connections = append(est.Connections, topology.Connection{ID: id, Gateway: gw.ID, Circuit: sub + "expressroutecircuits/er-" + name})
		weights[id] = int32(200 - 50*i)
	}
	est.Groups = append(est.Groups, g)
}
