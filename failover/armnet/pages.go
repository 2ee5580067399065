package armnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/cenkalti/backoff/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/fault"
)

// Bounds of a list that is read whole.
const (
	maxListPages = 20_000           // a list without an end is none
	patience     = 15 * time.Minute // spent on one page, waits that Azure asks for included
	longestWait  = 5 * time.Minute  // of one wait
	slowPage     = time.Minute      // one try of one page, beside the wait for its turn
)

// listing names a list.
type listing struct {
	op, target string
	path       string // below the endpoint
	version    string
	filter     string           // $filter; "" for none
	wait       func(wait error) // told before each wait; nil for nobody
}

// eachPage reads a list page by page. parse reads one entry, whose bytes are good
// until it returns, and says whether it is wanted; take gets what a whole page held.
// A page that breaks off is asked for again and given out once. The next page is
// followed only to the endpoint. So what is kept is one page of what parse returns,
// however long the list and its entries are.
func eachPage[T any](ctx context.Context, c *Client, l listing, parse func(jsontext.Value) (T, bool, error), take func([]T)) error {
	next := c.listAddress(l)
	for page := 0; next != ""; page++ {
		if page == maxListPages {
			return unreadable(l.op, l.target, fmt.Errorf("the list has more than %d pages", maxListPages))
		}
		var out []T
		after, err := c.page(ctx, l, next, func() { out = out[:0] }, func(raw jsontext.Value) error {
			v, wanted, err := parse(raw)
			if err == nil && wanted {
				out = append(out, v)
			}
			return err
		})
		if err != nil {
			return err
		}
		take(out)
		if after == next {
			return unreadable(l.op, l.target, errors.New("the next page of the list is the same page"))
		}
		if next = after; next != "" {
			if err := c.checkNext(l.op, l.target, next); err != nil {
				return err
			}
		}
	}
	return nil
}

// listAddress returns the address of a list's first page.
func (c *Client) listAddress(l listing) string {
	query := url.Values{"api-version": {l.version}}
	if l.filter != "" {
		query.Set("$filter", l.filter)
	}
	return c.base.String() + l.path + "?" + query.Encode()
}

// page reads one page, and asks again with patience while Azure is ill, busy or
// throttles: nobody waits at 3 a.m. for a list. reset is called before each try.
func (c *Client) page(ctx context.Context, l listing, address string, reset func(), each func(jsontext.Value) error) (next string, err error) {
	exp := backoff.NewExponentialBackOff()
	exp.InitialInterval, exp.MaxInterval, exp.MaxElapsedTime = 500*time.Millisecond, 30*time.Second, patience
	exp.Clock = ticking(c.cfg.Now)
	pace := &hinted{BackOff: exp, most: longestWait}
	next, err = backoff.RetryNotifyWithTimerAndData(func() (string, error) {
		reset()
		next, f := c.pageOnce(ctx, l, address, each)
		if f == nil {
			return next, nil
		}
		pace.hint = f.RetryAfter
		if (again(f) || f.Kind == fault.Throttled) && ctx.Err() == nil && f.Code != "UnreadableAnswer" {
			return "", f
		}
		return "", backoff.Permanent(f)
	}, backoff.WithContext(pace, ctx), func(err error, d time.Duration) {
		if l.wait != nil && d >= time.Second {
			l.wait(err)
		}
	}, &timer{sleep: c.cfg.Sleep, ctx: ctx})
	if err != nil && !errors.As(err, new(*fault.Error)) {
		err = requestFault(l.op, l.target, err)
	}
	return next, err
}

// pageOnce makes one try.
func (c *Client) pageOnce(ctx context.Context, l listing, address string, each func(jsontext.Value) error) (string, *fault.Error) {
	ctx, cancel := context.WithTimeout(ctx, slowPage+c.pace.maxRead)
	defer cancel()
	req, err := runtime.NewRequest(ctx, http.MethodGet, address)
	if err != nil {
		return "", requestFault(l.op, l.target, err)
	}
	req.Raw().Header.Set("Accept", "application/json")
	runtime.SkipBodyDownload(req)
	resp, err := c.pipe.Do(req)
	if err != nil {
		return "", requestFault(l.op, l.target, err)
	}
	defer func() {
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection serves the next page
		_ = resp.Body.Close()
	}()
	if resp.StatusCode != http.StatusOK {
		return "", c.answerFault(l.op, l.target, resp)
	}
	next, err := readPage(resp.Body, each)
	var entry entryError
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return next, nil
	case errors.As(err, &entry):
		return "", unreadable(l.op, l.target, entry.error)
	case errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF):
		return "", unreadable(l.op, l.target, err)
	}
	return "", requestFault(l.op, l.target, err) // it broke off
}

// entryError is an entry of a list that cannot be read.
type entryError struct{ error }

// readPage reads {"value": [...], "nextLink": "..."} as it streams in.
func readPage(r io.Reader, each func(jsontext.Value) error) (next string, err error) {
	dec := jsontext.NewDecoder(r)
	bad := func(why string) (string, error) { return "", entryError{errors.New(why)} }
	if tok, err := dec.ReadToken(); err != nil {
		return "", err
	} else if tok.Kind() != '{' {
		return bad("the list is not a JSON object")
	}
	found := false
	for dec.PeekKind() != '}' {
		tok, err := dec.ReadToken()
		if err != nil {
			return "", err
		}
		switch name := tok.String(); {
		case name == "value" && dec.PeekKind() == '[':
			found = true
			if err := readEntries(dec, each); err != nil {
				return "", err
			}
		case name == "nextLink" && dec.PeekKind() == '"':
			if err := json.UnmarshalDecode(dec, &next); err != nil {
				return "", err
			}
		default:
			if err := dec.SkipValue(); err != nil {
				return "", err
			}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return "", err
	}
	if !found {
		return bad("the list has no value")
	}
	return next, nil
}

func readEntries(dec *jsontext.Decoder, each func(jsontext.Value) error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := each(raw); err != nil {
			return entryError{err}
		}
	}
	_, err := dec.ReadToken()
	return err
}
