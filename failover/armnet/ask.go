package armnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v11"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"erfailover/events"
	"erfailover/failover/clock"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

const opAsk = "begin slow read"

// Response types of the slow reads: they name the resume tokens.
type (
	bgpAnswer    = armnetwork.ExpressRouteCircuitsClientListRoutesTableSummaryResponse
	tableAnswer  = armnetwork.ExpressRouteCircuitsClientListRoutesTableResponse
	arpAnswer    = armnetwork.ExpressRouteCircuitsClientListArpTableResponse
	routesAnswer = armnetwork.VirtualNetworkGatewaysClientGetLearnedRoutesResponse
)

// Ask implements executor.Network: it begins slow reads, in parallel.
func (c *Client) Ask(ctx context.Context, questions []executor.Question) []executor.Begun {
	out := make([]executor.Begun, len(questions))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, q := range questions {
		g.Go(func() error {
			out[i] = c.ask(ctx, q)
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	return out
}

// ask sends one question. Asking changes nothing, so it is sent once and may be
// asked again.
func (c *Client) ask(ctx context.Context, q executor.Question) executor.Begun {
	path, query, f := questionPath(q)
	if f != nil {
		return notApplied(f)
	}
	req, err := runtime.NewRequest(ctx, http.MethodPost, c.address(path)+query)
	if err != nil {
		return notApplied(requestFault(opAsk, q.Target, err))
	}
	req.Raw().Header.Set("Accept", "application/json")
	try := &attempt{}
	defer try.end()
	resp, err := c.pipe.Do(req.WithContext(withAttempt(ctx, try)))
	if err != nil {
		b := notApplied(requestFault(opAsk, q.Target, err))
		if b.Sent = try.left(); b.Sent {
			b.Outcome = executor.Unknown
		}
		return b
	}
	b := c.asked(q, resp)
	b.Sent = true
	b.Correlation = clip(clean(resp.Header.Get("x-ms-correlation-request-id")), 100)
	return b
}

// asked reads the first answer to a question.
func (c *Client) asked(q executor.Question, resp *http.Response) executor.Begun {
	switch resp.StatusCode {
	case http.StatusOK:
		body, err := runtime.Payload(resp)
		if err != nil {
			return notApplied(requestFault(opAsk, q.Target, err))
		}
		a, err := decodeAnswer(q, body, c.cfg.Now())
		if err != nil {
			return notApplied(unreadable(opAsk, q.Target, err))
		}
		return executor.Begun{Outcome: executor.Applied, Answer: a}
	case http.StatusAccepted:
	default:
		return notApplied(c.answerFault(opAsk, q.Target, resp))
	}
	if resp.Header.Get("Location") != "" {
		// The operation's own body carries no status for some of these reads, which
		// the SDK's poller takes for an error; the Location's body is the result.
		resp.Header.Del("Azure-AsyncOperation")
	}
	var s started
	var err error
	switch q.Kind {
	case executor.AskBGP:
		s, err = start[bgpAnswer](c, resp)
	case executor.AskARP:
		s, err = start[arpAnswer](c, resp)
	case executor.AskTable:
		s, err = start[tableAnswer](c, resp)
	case executor.AskRoutes:
		s, err = start[routesAnswer](c, resp)
	case executor.AskTests:
		s, err = start[testsRead](c, resp)
	case executor.AskPeers:
		s, err = start[peersAnswer](c, resp)
	case executor.AskAdvertised:
		s, err = start[advertisedAnswer](c, resp)
	case executor.AskSets:
		s, err = start[setsAnswer](c, resp)
	}
	if err != nil {
		return notApplied(requestFault(opAsk, q.Target, err))
	}
	return executor.Begun{Outcome: executor.Unknown, Token: s.token, RetryAfter: clock.RetryAfter(resp.Header, c.cfg.Now())}
}

// questionPath returns the path to ask, below the endpoint, and what follows it.
func questionPath(q executor.Question) (path, query string, f *fault.Error) {
	bad := func(format string, args ...any) (string, string, *fault.Error) {
		return "", "", &fault.Error{Op: opAsk, Target: clip(clean(q.Target), 300), Kind: fault.Invalid, Err: fmt.Errorf(format, args...)}
	}
	id, err := events.ParseResourceID(q.Target)
	if err != nil {
		return bad("target: %w", err)
	}
	var table string
	switch q.Kind {
	case executor.AskBGP:
		table = "routeTablesSummary"
	case executor.AskARP:
		table = "arpTables"
	case executor.AskTests:
		if path, query, err = testsPath(id); err != nil {
			return bad("%w", err)
		}
		return path, query, nil
	case executor.AskTable:
		table = "routeTables"
	case executor.AskRoutes, executor.AskPeers, executor.AskAdvertised, executor.AskSets:
		if path, query, err = gatewayPath(q, id); err != nil {
			return bad("%w", err)
		}
		return path, query, nil
	default:
		return bad("kind: %q is not known", q.Kind)
	}
	if id.Type() != events.TypeCircuit {
		return bad("target: %q is no type of a circuit", id.Type())
	}
	if q.Link != string(events.Primary) && q.Link != string(events.Secondary) {
		return bad("link: %q is neither primary nor secondary", clip(clean(q.Link), 40))
	}
	return id.String() + "/peerings/AzurePrivatePeering/" + table + "/" + q.Link, "", nil
}

// decodeAnswer reads the rows of a slow read's result. They stand under value, or
// under properties.output in an operation's own body.
func decodeAnswer(q executor.Question, body []byte, at time.Time) (*executor.Answer, error) {
	a := &executor.Answer{Question: q, At: at}
	if q.Kind == executor.AskTests && jsontext.Value(body).Kind() == '[' {
		return a, decodeTests(body, a)
	}
	if q.Kind == executor.AskSets {
		return a, decodeSets(body, a)
	}
	var b struct {
		Value      jsontext.Value `json:"value"`
		Properties struct {
			Output struct {
				Value jsontext.Value `json:"value"`
			} `json:"output"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	rows := b.Value
	if rows == nil {
		rows = b.Properties.Output.Value
	}
	if rows == nil {
		return nil, errors.New("value: is missing")
	}
	switch q.Kind {
	case executor.AskBGP:
		return a, decodePeers(rows, a)
	case executor.AskARP:
		return a, decodeARP(rows, a)
	case executor.AskTable:
		return a, decodeTable(rows, a)
	case executor.AskRoutes, executor.AskAdvertised:
		return a, decodeRoutes(rows, a)
	case executor.AskTests:
		return a, decodeTests(rows, a)
	case executor.AskPeers:
		return a, decodeGatewayPeers(rows, a)
	case executor.AskSets:
	}
	return nil, fmt.Errorf("kind: %q is not known", q.Kind)
}

// maxPrefixes bounds the count of a session: no table is that long.
const maxPrefixes = 10_000_000

func decodePeers(raw jsontext.Value, a *executor.Answer) error {
	var rows []struct {
		Neighbor string         `json:"neighbor"`
		AS       int64          `json:"as"`
		State    jsontext.Value `json:"statePfxRcd"` // a string; a number is taken too
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		state := string(r.State)
		if r.State.Kind() == '"' {
			if err := json.Unmarshal(r.State, &state); err != nil {
				return err
			}
		}
		state = clip(clean(state), 40)
		p := executor.Peer{Neighbor: clip(clean(r.Neighbor), 100), ASN: r.AS, State: state}
		if n, err := strconv.ParseUint(state, 10, 31); err == nil && n <= maxPrefixes { // digits alone
			p.Established, p.Prefixes = true, int(n)
		}
		a.Peers = append(a.Peers, p)
	}
	return nil
}

func decodeARP(raw jsontext.Value, a *executor.Answer) error {
	var rows []struct {
		Age       int    `json:"age"`
		Interface string `json:"interface"`
		IP        string `json:"ipAddress"`
		MAC       string `json:"macAddress"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		a.ARP = append(a.ARP, executor.ARP{Interface: clip(clean(r.Interface), 40), IP: clip(clean(r.IP), 60), MAC: clip(clean(r.MAC), 40), AgeMin: r.Age})
	}
	return nil
}

func decodeRoutes(raw jsontext.Value, a *executor.Answer) error {
	var rows []struct {
		Network string `json:"network"`
		NextHop string `json:"nextHop"`
		Origin  string `json:"origin"`
		ASPath  string `json:"asPath"`
		Source  string `json:"sourcePeer"`
		Weight  int32  `json:"weight"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		a.Routes = append(a.Routes, executor.Route{Network: clip(clean(r.Network), 60), NextHop: clip(clean(r.NextHop), 60), Origin: clip(clean(r.Origin), 20),
			ASPath: clip(clean(r.ASPath), 1000), Source: clip(clean(r.Source), 60), Weight: r.Weight})
	}
	return nil
}

// decodeTable reads a link's route table.
func decodeTable(raw jsontext.Value, a *executor.Answer) error {
	var rows []struct {
		Network string `json:"network"`
		NextHop string `json:"nextHop"`
		Path    string `json:"path"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		a.Routes = append(a.Routes, executor.Route{Network: clip(clean(r.Network), 60), NextHop: clip(clean(r.NextHop), 60), ASPath: clip(clean(r.Path), 1000)})
	}
	return nil
}
